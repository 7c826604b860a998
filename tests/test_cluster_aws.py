"""cluster.yaml and clusters/aws-account.yaml in an AWS account that moto plays: what Ray makes of them there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from kdtune.objects.folder import ObjectFolder
from tests.aws_account import (
    BUCKET,
    CLUSTER_TEXT,
    MY_ADDRESS,
    OTHER_BUCKET,
    PLACEHOLDER,
    STACK_TEXT,
    Account,
    Config,
    acting_as,
    bare_actions,
    bootstrap,
    launch,
    open_account,
    read_cluster,
    read_head_policy,
    resolve,
)
from tests.object_stores import serve_metadata

MACHINES = read_cluster()["available_node_types"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Provide an account in which the stack was created."""
    with open_account(tmp_path_factory.mktemp("home")) as account:
        yield account


@pytest.fixture(scope="module")
def config(account: Account) -> Config:
    """Return what `ray up` makes of cluster.yaml in this account."""
    return bootstrap(account)


def describe(account: Account, machine: str) -> dict[str, Any]:
    """Return what EC2 says about a machine."""
    (reservation,) = account.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"]
    (description,) = reservation["Instances"]
    return dict(description)


# --- machines -------------------------------------------------------------------------------------


def test_resources_are_those_of_the_instance_types(account: Account) -> None:
    types = [machine["node_config"]["InstanceType"] for machine in MACHINES.values()]
    answer = account.client("ec2").describe_instance_types(InstanceTypes=types)
    facts = {fact["InstanceType"]: fact for fact in answer["InstanceTypes"]}
    for name, machine in MACHINES.items():
        fact = facts[machine["node_config"]["InstanceType"]]
        assert "x86_64" in fact["ProcessorInfo"]["SupportedArchitectures"]
        if name != "head":
            gpus = sum(gpu["Count"] for gpu in fact.get("GpuInfo", {}).get("Gpus", []))
            expected = {"CPU": fact["VCpuInfo"]["DefaultVCpus"]} | ({"GPU": gpus} if gpus else {})
            assert machine["resources"] == expected, name


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_has_its_role_its_market_and_no_more_than_it_needs(
    account: Account, config: Config, name: str
) -> None:
    (machine,) = launch(config, name)
    description = describe(account, machine)
    is_head = name == "head"
    profile = "kdtune-head" if is_head else "kdtune-worker"
    assert description["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{profile}")
    assert description.get("InstanceLifecycle") == (None if is_head else "spot")
    assert [group["GroupId"] for group in description["SecurityGroups"]] == [account.security_group]
    assert description["MetadataOptions"]["HttpTokens"] == "required"
    assert description["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert all(disk["Ebs"]["DeleteOnTermination"] for disk in description["BlockDeviceMappings"])
    assert {"Key": "ray-cluster-name", "Value": "kdtune"} in description["Tags"]


# --- the firewall ---------------------------------------------------------------------------------


def test_only_ssh_from_the_users_address_is_open(account: Account, config: Config) -> None:
    """Look at the rules of all groups of the machines after Ray has resolved its file and started them."""
    machines = [launch(config, name)[0] for name in MACHINES]
    groups = {group["GroupId"] for machine in machines for group in describe(account, machine)["SecurityGroups"]}
    rules = [
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), source)
        for group in account.client("ec2").describe_security_groups(GroupIds=list(groups))["SecurityGroups"]
        for rule in group["IpPermissions"]
        for source in list_sources(rule)
    ]
    assert sorted(rules, key=str) == [("-1", None, None, account.security_group), ("tcp", 22, 22, MY_ADDRESS)]


def list_sources(rule: dict[str, Any]) -> list[str]:
    """List the addresses and groups from which a rule lets packets in."""
    keys = {
        "IpRanges": "CidrIp",
        "Ipv6Ranges": "CidrIpv6",
        "UserIdGroupPairs": "GroupId",
        "PrefixListIds": "PrefixListId",
    }
    return [source[key] for kind, key in keys.items() for source in rule.get(kind, [])]


def test_without_a_group_ray_would_open_ssh_to_the_world(account: Account) -> None:
    """The reason why cluster.yaml names a group: if Ray no longer does this, provider.security_group will do."""
    text = CLUSTER_TEXT.replace(f"SecurityGroupIds: [{PLACEHOLDER}]", "")
    (machine,) = launch(bootstrap(account, text), "head")
    (group,) = describe(account, machine)["SecurityGroups"]
    (found,) = account.client("ec2").describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"]
    assert "0.0.0.0/0" in [source for rule in found["IpPermissions"] for source in list_sources(rule)]


def test_a_file_that_was_not_filled_in_is_refused_before_a_machine_starts(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):
        resolve(CLUSTER_TEXT)
    assert "Failed to detect a security group" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [(MY_ADDRESS, True), ("198.51.0.0/16", True), ("0.0.0.0/0", False), ("10.0.0.0/8", False), ("203.0.113.7", False)],
)
def test_the_stack_takes_an_address_and_not_the_world(address: str, is_taken: bool) -> None:
    (pattern,) = re.findall(r"AllowedPattern: (\S+)", STACK_TEXT)
    assert (re.fullmatch(pattern, address) is not None) == is_taken


# --- the roles ------------------------------------------------------------------------------------


def test_the_heads_role_starts_tags_and_ends_workers(
    account: Account, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.autoscaler._private.aws import node_provider
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    monkeypatch.setattr(node_provider, "TAG_BATCH_DELAY", 0)
    with bare_actions(account), acting_as(account, "kdtune-head"):
        machines = launch(config, "cpu_c7i", 2)
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        assert set(machines) <= set(provider.non_terminated_nodes({}))
        provider.set_node_tags(machines[0], {"ray-node-status": "up-to-date"})
        provider.terminate_nodes(machines)
        assert not set(machines) & set(provider.non_terminated_nodes({}))


def test_a_workers_role_starts_and_ends_nothing(account: Account, config: Config) -> None:
    (machine,) = launch(config, "head")
    with acting_as(account, "kdtune-worker"):
        client = account.client("ec2")
        for request in (
            lambda: client.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1),
            lambda: client.terminate_instances(InstanceIds=[machine]),
            lambda: account.client("iam").list_roles(),
        ):
            with pytest.raises(botocore.exceptions.ClientError, match="not authorized"):
                request()


@pytest.mark.parametrize("role", ["kdtune-head", "kdtune-worker"])
def test_a_role_uses_the_bucket_and_no_other(account: Account, role: str) -> None:
    with acting_as(account, role):
        client = account.client("s3")
        client.put_object(Bucket=BUCKET, Key="results/a", Body=b"x")
        assert client.get_object(Bucket=BUCKET, Key="results/a")["Body"].read() == b"x"
        assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
        client.delete_object(Bucket=BUCKET, Key="results/a")
        for request in (
            lambda: client.put_object(Bucket=OTHER_BUCKET, Key="a", Body=b"x"),
            lambda: client.list_objects_v2(Bucket=OTHER_BUCKET),
            lambda: client.delete_bucket(Bucket=BUCKET),
        ):
            with pytest.raises(botocore.exceptions.ClientError, match=r"Access ?Denied|Forbidden|not authorized"):
                request()


def test_the_heads_rights_end_at_its_cluster_and_the_workers_role(account: Account) -> None:
    """moto does not enforce these limits: here they are read."""
    statements = read_head_policy(account)["Statement"]
    (passing,) = [rule for rule in statements if rule["Action"] == "iam:PassRole"]
    assert passing["Resource"].endswith(":role/kdtune-worker")
    (ending,) = [rule for rule in statements if "ec2:TerminateInstances" in rule["Action"]]
    assert ending["Action"] == ["ec2:CreateTags", "ec2:TerminateInstances"]
    assert ending["Condition"] == {"StringEquals": {"ec2:ResourceTag/ray-cluster-name": read_cluster()["cluster_name"]}}


def test_kdtune_takes_the_keys_of_a_machines_role(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By version 2 of the metadata service, the only one that the machines answer."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with serve_metadata("kdtune-worker") as (endpoint, requests):
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", endpoint)
        folder = ObjectFolder(f"{bucket}/results")
        folder.write("a", b"x")
        assert [entry.name for entry in folder.list_objects()] == ["a"]
    assert requests[0] == "PUT /latest/api/token"
    assert requests[-1] == "GET /latest/meta-data/iam/security-credentials/kdtune-worker"
