"""An AWS account that moto plays: made ready by clusters/aws-account.yaml, and a cluster.yaml filled in for it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from moto.core.authorization import enable_iam_authentication

ROOT = Path(__file__).parent.parent
CLUSTER_TEXT = (ROOT / "cluster.yaml").read_text(encoding="utf-8")
STACK_TEXT = (ROOT / "clusters/aws-account.yaml").read_text(encoding="utf-8")
MY_ADDRESS = "203.0.113.7/32"
BUCKET = "results-of-a-test"
OTHER_BUCKET = "private"
PLACEHOLDER = "sg-CHANGE"

Config = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """What the stack of clusters/aws-account.yaml has left in an account."""

    region: str
    security_group: str

    def client(self, service: str) -> Any:
        """Return a client of boto3 in the region of the cluster."""
        return boto3.client(service, self.region)


def read_cluster(text: str = CLUSTER_TEXT) -> Config:
    """Read a cluster file as Ray does."""
    config: Config = yaml.safe_load(text)
    return config


def list_commands(config: Config) -> list[str]:
    """List all shell commands that a cluster file has Ray run."""
    return [command for name, commands in config.items() if name.endswith("_commands") for command in commands]


@contextmanager
def open_account(home: Path) -> Iterator[Account]:
    """Open an account in which the stack was created; keys that Ray makes go to a home folder of the test."""
    region = read_cluster()["provider"]["region"]
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "HOME": str(home)}.items():
            environment.setenv(name, value)
        forget_clients()
        account = Account(region, _create_stack(region))
        for role in ("kdtune-head", "kdtune-worker"):
            for name in account.client("iam").list_role_policies(RoleName=role)["PolicyNames"]:
                # moto keeps a stack's policies in a form in which it does not enforce them.
                _write_policy(account, role, name, _read_policy(account, role, name))
        for bucket in (BUCKET, OTHER_BUCKET):
            account.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
        yield account
    forget_clients()


def forget_clients() -> None:
    """Forget the clients of Ray and of boto3, which they keep for the length of a process, with their keys."""
    from ray.autoscaler._private.aws import config, utils

    for cache in (utils.resource_cache, utils.client_cache, config._get_subnets_or_die):
        cache.cache_clear()
    boto3.DEFAULT_SESSION = None


def _create_stack(region: str) -> str:
    """Create the stack and return the id of its security group."""
    client = boto3.client("cloudformation", region)
    parameters = {"Bucket": BUCKET, "MyAddress": MY_ADDRESS}
    client.create_stack(
        StackName="kdtune",
        TemplateBody=STACK_TEXT,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    (stack,) = client.describe_stacks(StackName="kdtune")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return str(outputs["SecurityGroup"])


def bootstrap(account: Account, text: str = CLUSTER_TEXT) -> Config:
    """Return a cluster file as `ray up` resolves it, with the group of the account in place of the placeholder."""
    return resolve(text.replace(PLACEHOLDER, account.security_group))


def resolve(text: str) -> Config:
    """Return a cluster file as `ray up` resolves it, but for the memory of each machine: moto takes seconds to tell."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = prepare_config(read_cluster(text))
    validate_config(config)
    resolved: Config = AWSNodeProvider.bootstrap_config(config)
    return resolved


def launch(config: Config, node_type: str, count: int = 1) -> list[str]:
    """Create machines of a type through Ray's provider, as `ray up` and the head do, and return their ids."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler.tags import TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    node_config = copy.deepcopy(config["available_node_types"][node_type]["node_config"])
    kind = "head" if node_type == config["head_node_type"] else "worker"
    nodes = provider.create_node(node_config, {TAG_RAY_NODE_KIND: kind, TAG_RAY_USER_NODE_TYPE: node_type}, count)
    return list(nodes)


@contextmanager
def acting_as(account: Account, role: str) -> Iterator[None]:
    """Let this process act by a role and its rights, as processes on a machine with its profile do."""
    arn = account.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    keys = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="machine")["Credentials"]
    with pytest.MonkeyPatch.context() as environment, enable_iam_authentication():
        environment.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        environment.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        environment.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        forget_clients()
        yield
    forget_clients()


def read_head_policy(account: Account) -> Config:
    """Return what the head's role may do beside using the bucket."""
    return _read_policy(account, "kdtune-head", "workers")


@contextmanager
def bare_actions(account: Account) -> Iterator[None]:
    """Leave only the actions of the head's rights for a while: moto refuses EC2's that name resources or conditions."""
    policy = read_head_policy(account)
    plain = [{"Effect": rule["Effect"], "Action": rule["Action"], "Resource": "*"} for rule in policy["Statement"]]
    _write_policy(account, "kdtune-head", "workers", {**policy, "Statement": plain})
    try:
        yield
    finally:
        _write_policy(account, "kdtune-head", "workers", policy)


def _read_policy(account: Account, role: str, name: str) -> Config:
    policy = account.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    return dict(yaml.safe_load(policy) if isinstance(policy, str) else policy)


def _write_policy(account: Account, role: str, name: str, policy: Config) -> None:
    account.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
