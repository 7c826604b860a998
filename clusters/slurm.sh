#!/usr/bin/env bash
# A sweep on the machines of a Slurm cluster:
#
#   sbatch clusters/slurm.sh mine.yaml --results /shared/results
#
# What follows the script's name goes to `kdtune sweep`. Submit the same command again, and it goes on where it was: after
# the time limit, after a fault, after adding temperatures. Results lie in a folder that all machines see, or in an object
# store. The exit code is that of the sweep. What a reader will want to change is marked CHANGE. See docs/slurm.md.
#
#SBATCH --job-name=kdtune
#SBATCH --nodes=2                  # CHANGE
#SBATCH --ntasks-per-node=1        # one Ray per machine
#SBATCH --cpus-per-task=16         # CHANGE: workers per machine
##SBATCH --gpus-per-node=1         # CHANGE: one # less for GPUs
#SBATCH --mem=32G                  # CHANGE: per machine
#SBATCH --time=04:00:00            # CHANGE
#SBATCH --signal=B:TERM@120        # tells this script two minutes before the time limit
#SBATCH --requeue                  # after the fault of a machine, or if a job of higher priority takes it
#SBATCH --open-mode=append         # a job that is started again keeps what it printed before
#SBATCH --output=%x-%j.log
set -euo pipefail

# CHANGE: what puts kdtune on the PATH of each machine, if your shell has not done so when you submit.
# source /shared/kdtune/bin/activate

job=${SLURM_JOB_ID:?submit this script with sbatch}
cpus=${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}

# The folder of this job, on a disk that all machines see: its token, the wish to stop and the exit code of the sweep.
export KDTUNE_JOB_FOLDER=$PWD/.kdtune-job-$job
# A short path on each machine's own disk: Ray's sockets lie in it. Ray takes the same path on all machines.
export RAY_TMPDIR=/tmp/kdtune-$job

# shellcheck disable=SC2329 # The trap calls it.
clean_up() {
  rm -rf "$KDTUNE_JOB_FOLDER"
  srun --ntasks-per-node=1 rm -rf "$RAY_TMPDIR" || true
}
trap clean_up EXIT

# Whoever reaches a port of Ray's can run code, and other users are on these machines: Ray answers nobody without a token.
rm -rf "$KDTUNE_JOB_FOLDER"
mkdir -m 700 "$KDTUNE_JOB_FOLDER"
(umask 177 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$KDTUNE_JOB_FOLDER/token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$KDTUNE_JOB_FOLDER/token
unset RAY_AUTH_TOKEN RAY_ADDRESS # They would go before.

# Two ports of this job's own: machines may be shared. They lie below those that the kernel gives away.
port=$((20000 + job % 6000 * 2))
# This script runs on the first machine. CHANGE if the machines reach each other by another of its addresses. Its name
# would not do: where it stands for 127.0.1.1, as on Debian, no machine takes itself for the head.
host=$(hostname -I | cut -d ' ' -f 1)
export KDTUNE_HEAD=${host:-127.0.0.1}:$port
export KDTUNE_CLIENT_PORT=$((port + 1))

# How long Ray waits until all machines are there: 30 s by default, too short for Python on a busy shared disk.
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=300

# `ray symmetric-run` refuses a machine on which any Ray runs, and ends all Rays of this user with `ray stop`: on a shared
# machine those of other jobs. In a PID namespace it sees its own processes only, and all of them end with the job.
# Where Slurm's machines do not allow that, take whole machines: #SBATCH --exclusive.
own_processes="unshare --user --map-current-user --pid --mount-proc --fork --kill-child"
$own_processes true 2>/dev/null || own_processes=""

# Start Ray on a machine, and on the first one the sweep, and stay until the sweep has ended.
# shellcheck disable=SC2329 # srun calls it.
run_node() {
  local ray_options=(--num-cpus="$KDTUNE_CPUS" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats)
  ray_options+=(--object-store-memory=268435456) # or Ray takes a third of the machine's memory; packs are small
  # Without these, two jobs on one machine take the same ports.
  ray_options+=(--min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0)
  if [[ $SLURM_PROCID == 0 ]]; then # Ray refuses these options elsewhere.
    ray_options+=(--include-dashboard=false --ray-client-server-port="$KDTUNE_CLIENT_PORT")
  fi
  trap 'touch "$KDTUNE_JOB_FOLDER/stop"' TERM # of scancel
  (umask 077 && mkdir -p "$RAY_TMPDIR")
  export TMPDIR=$RAY_TMPDIR # What workers leave there goes with it.
  if [[ ! -O $RAY_TMPDIR || -L $RAY_TMPDIR ]]; then
    echo "$RAY_TMPDIR on $(hostname) belongs to another user" >&2
  else
    ray symmetric-run --address "$KDTUNE_HEAD" --min-nodes "$SLURM_NNODES" "${ray_options[@]}" \
      -- bash -c 'run_sweep "$@"' run_sweep "$@" &
    # Not until symmetric-run ends: on the other machines it takes a minute or more to see that the head has ended.
    while [[ ! -e $KDTUNE_JOB_FOLDER/exit-code ]] && kill -0 $! 2>/dev/null; do sleep 1; done
  fi
  # The exit code of symmetric-run itself is 0 where Ray does not start, and the other machines would wait forever.
  if [[ $SLURM_PROCID == 0 && ! -e $KDTUNE_JOB_FOLDER/exit-code ]]; then echo 1 >"$KDTUNE_JOB_FOLDER/exit-code"; fi
}

# Run the sweep, end it as Ctrl-C does if the job is to stop, and write down its exit code.
# shellcheck disable=SC2329 # run_node calls it.
run_sweep() {
  kdtune sweep "$@" --address "$KDTUNE_HEAD" --wait & # --wait: if the job that ran before has not let go yet
  local sweep=$! code=0
  while kill -0 "$sweep" 2>/dev/null; do
    # To the sweep alone: a symmetric-run that is interrupted kills it after a quarter of a second.
    if [[ -e $KDTUNE_JOB_FOLDER/stop ]] && rm "$KDTUNE_JOB_FOLDER/stop"; then kill -TERM "$sweep"; fi
    sleep 1
  done
  wait "$sweep" || code=$?
  echo "$code" >"$KDTUNE_JOB_FOLDER/.exit-code"
  mv "$KDTUNE_JOB_FOLDER/.exit-code" "$KDTUNE_JOB_FOLDER/exit-code" # at once whole for those who look
}

trap 'echo "Slurm asks this job to stop." >&2; touch "$KDTUNE_JOB_FOLDER/stop"' TERM

export -f run_node run_sweep
export KDTUNE_CPUS=$cpus
# A machine whose Ray ends does not end the sweep. srun has not taken over the number of CPUs since Slurm 22.05.
# shellcheck disable=SC2086 # words of a command
srun --ntasks-per-node=1 --cpus-per-task="$cpus" --kill-on-bad-exit=0 \
  $own_processes bash -c 'run_node "$@"' run_node "$@" &
step=$!
while kill -0 "$step" 2>/dev/null; do wait "$step" || true; done # A signal ends `wait`, not the step.

code=$(cat "$KDTUNE_JOB_FOLDER/exit-code" 2>/dev/null || echo 1)
if [[ $code == 130 ]]; then echo "Interrupted. Submit the same command again to go on." >&2; fi
exit "$code"
