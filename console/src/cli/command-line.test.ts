// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Call } from "./show";
import { commandLine, kebab, quote } from "./command-line";

const kMapping = { DeviceName: "/dev/sdf", Ebs: { VolumeSize: 8, DeleteOnTermination: false } };

// One of each operation the console performs, with the parameters its forms set.
const kCalls: readonly (readonly [Call, string])[] = [
    [
        {
            operation: "CreateImage",
            input: { InstanceId: "i-1", Name: "it's mine", NoReboot: true, BlockDeviceMappings: [kMapping] },
        },
        `aws ec2 create-image --region us-east-1 --instance-id i-1 --name 'it'\\''s mine' --no-reboot --block-device-mappings '[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":8,"DeleteOnTermination":false}}]'`,
    ],
    [
        { operation: "CreateImage", input: { InstanceId: "i-1", Name: "a", NoReboot: false } },
        "aws ec2 create-image --region us-east-1 --instance-id i-1 --name a --reboot",
    ],
    [
        {
            operation: "CreateImage",
            input: {
                InstanceId: "i-1",
                Name: "a",
                TagSpecifications: [{ ResourceType: "image", Tags: [{ Key: "k", Value: "v w" }] }],
            },
        },
        `aws ec2 create-image --region us-east-1 --instance-id i-1 --name a --tag-specifications '[{"ResourceType":"image","Tags":[{"Key":"k","Value":"v w"}]}]'`,
    ],
    [
        {
            operation: "RunInstances",
            input: {
                ImageId: "ami-1",
                InstanceType: "t2.nano",
                MinCount: 2,
                MaxCount: 2,
                KeyName: "me",
                SecurityGroupIds: ["sg-1", "sg-2"],
                UserData: btoa("#!/bin/sh\necho hi"),
                DisableApiTermination: true,
                MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 2 },
            },
        },
        `aws ec2 run-instances --region us-east-1 --image-id ami-1 --instance-type t2.nano --key-name me --security-group-ids sg-1 sg-2 --disable-api-termination --metadata-options '{"HttpTokens":"required","HttpPutResponseHopLimit":2}' --count 2 --user-data '#!/bin/sh\necho hi'`,
    ],
    [
        { operation: "RunInstances", input: { ImageId: "ami-1", MinCount: 1, MaxCount: 3, SecurityGroups: ["web"] } },
        "aws ec2 run-instances --region us-east-1 --image-id ami-1 --security-groups web --count 1:3",
    ],
    [
        {
            operation: "ModifyImageAttribute",
            input: { ImageId: "ami-1", LaunchPermission: { Add: [{ UserId: "111122223333" }] } },
        },
        `aws ec2 modify-image-attribute --region us-east-1 --image-id ami-1 --launch-permission '{"Add":[{"UserId":"111122223333"}]}'`,
    ],
    [
        { operation: "ModifyImageAttribute", input: { ImageId: "ami-1", Description: { Value: "new text" } } },
        "aws ec2 modify-image-attribute --region us-east-1 --image-id ami-1 --description 'new text'",
    ],
    [
        { operation: "DeregisterImage", input: { ImageId: "ami-1", DeleteAssociatedSnapshots: true } },
        "aws ec2 deregister-image --region us-east-1 --image-id ami-1 --delete-associated-snapshots",
    ],
    [
        {
            operation: "CopyImage",
            input: { SourceRegion: "us-east-1", SourceImageId: "ami-1", Name: "a", CopyImageTags: true },
            region: "eu-west-1",
        },
        "aws ec2 copy-image --region eu-west-1 --source-region us-east-1 --source-image-id ami-1 --name a --copy-image-tags",
    ],
    [
        {
            operation: "EnableImageDeprecation",
            input: { ImageId: "ami-1", DeprecateAt: new Date("2027-01-01T00:00:00Z") },
        },
        "aws ec2 enable-image-deprecation --region us-east-1 --image-id ami-1 --deprecate-at 2027-01-01T00:00:00.000Z",
    ],
    [
        { operation: "StopInstances", input: { InstanceIds: ["i-1", "i-2"], Force: true } },
        "aws ec2 stop-instances --region us-east-1 --instance-ids i-1 i-2 --force",
    ],
    [
        { operation: "ModifyInstanceAttribute", input: { InstanceId: "i-1", DisableApiTermination: { Value: false } } },
        "aws ec2 modify-instance-attribute --region us-east-1 --instance-id i-1 --no-disable-api-termination",
    ],
    [
        { operation: "ModifyInstanceAttribute", input: { InstanceId: "i-1", InstanceType: { Value: "t2.micro" } } },
        "aws ec2 modify-instance-attribute --region us-east-1 --instance-id i-1 --instance-type t2.micro",
    ],
    [
        { operation: "ModifyInstanceAttribute", input: { InstanceId: "i-1", Groups: ["sg-1"] } },
        "aws ec2 modify-instance-attribute --region us-east-1 --instance-id i-1 --groups sg-1",
    ],
    [
        {
            operation: "ModifyInstanceMetadataOptions",
            input: { InstanceId: "i-1", HttpTokens: "required", HttpPutResponseHopLimit: 2, HttpEndpoint: "enabled" },
        },
        "aws ec2 modify-instance-metadata-options --region us-east-1 --instance-id i-1 --http-tokens required --http-put-response-hop-limit 2 --http-endpoint enabled",
    ],
    [
        {
            operation: "AuthorizeSecurityGroupIngress",
            input: {
                GroupName: "web",
                IpPermissions: [{ IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: "0.0.0.0/0" }] }],
            },
        },
        `aws ec2 authorize-security-group-ingress --region us-east-1 --group-name web --ip-permissions '[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]'`,
    ],
    [
        { operation: "RevokeSecurityGroupEgress", input: { GroupId: "sg-1", SecurityGroupRuleIds: ["sgr-1"] } },
        "aws ec2 revoke-security-group-egress --region us-east-1 --group-id sg-1 --security-group-rule-ids sgr-1",
    ],
    [
        { operation: "CreateKeyPair", input: { KeyName: "me", KeyType: "ed25519", KeyFormat: "pem" } },
        "aws ec2 create-key-pair --region us-east-1 --key-name me --key-type ed25519 --key-format pem",
    ],
    [
        {
            operation: "ImportKeyPair",
            input: { KeyName: "me", PublicKeyMaterial: new TextEncoder().encode("ssh-rsa A") },
        },
        "aws ec2 import-key-pair --region us-east-1 --key-name me --public-key-material c3NoLXJzYSBB",
    ],
    [
        {
            operation: "CreateTags",
            input: { Resources: ["ami-1"], Tags: [{ Key: "Name", Value: "gold" }] },
        },
        `aws ec2 create-tags --region us-east-1 --resources ami-1 --tags '[{"Key":"Name","Value":"gold"}]'`,
    ],
    [
        { operation: "AttachVolume", input: { VolumeId: "vol-1", InstanceId: "i-1", Device: "/dev/sdf" } },
        "aws ec2 attach-volume --region us-east-1 --volume-id vol-1 --instance-id i-1 --device /dev/sdf",
    ],
    [
        { operation: "ModifyVolume", input: { VolumeId: "vol-1", Size: 9, VolumeType: "gp3", Iops: 4000 } },
        "aws ec2 modify-volume --region us-east-1 --volume-id vol-1 --size 9 --volume-type gp3 --iops 4000",
    ],
    [
        {
            operation: "CreateVolume",
            input: { AvailabilityZone: "us-east-1a", Size: 8, VolumeType: "gp3", Iops: 3000 },
        },
        "aws ec2 create-volume --region us-east-1 --availability-zone us-east-1a --size 8 --volume-type gp3 --iops 3000",
    ],
    [
        {
            operation: "RegisterImage",
            input: {
                Name: "a",
                Architecture: "x86_64",
                RootDeviceName: "/dev/xvda",
                EnaSupport: true,
                BootMode: "uefi",
            },
        },
        "aws ec2 register-image --region us-east-1 --name a --architecture x86_64 --root-device-name /dev/xvda --ena-support --boot-mode uefi",
    ],
];

describe("command lines", () => {
    it.each(kCalls)("are written as the CLI takes them: %#", ({ operation, input, region }, line) => {
        expect(commandLine(operation, input, region ?? "us-east-1")).toBe(line);
    });

    it("leave out what was not given", () => {
        expect(commandLine("CreateImage", { InstanceId: "i-1", Description: undefined, ClientToken: "t" }, "r")).toBe(
            "aws ec2 create-image --region r --instance-id i-1",
        );
    });

    it("quote for a shell", () => {
        expect(quote("a b")).toBe("'a b'");
        expect(quote('$HOME `x` "y"')).toBe("'$HOME `x` \"y\"'");
        expect(quote("")).toBe("''");
    });

    it("name parameters as the CLI does", () => {
        expect(kebab("BlockDeviceMappings")).toBe("block-device-mappings");
        expect(kebab("EbsOptimized")).toBe("ebs-optimized");
        expect(kebab("IpPermissions")).toBe("ip-permissions");
    });
});

const kAws = "/usr/bin/aws";
// Parameters that Debian 12's CLI (2.9) is too old to know.
const kNewer = /--delete-associated-snapshots/;

// The CLI itself reads each line and checks every name and value; no request is made. All lines go through one process:
// the CLI takes seconds to load.
const kReadLines = `
import contextlib, io, json, shlex, sys
from awscli.clidriver import create_clidriver
from botocore import loaders
# A driver remembers the line before, so each line has its own; the description of the service is read once.
read, known = loaders.JSONFileLoader.load_file, {}
def load(self, path):
    if path not in known:
        known[path] = read(self, path)
    return known[path]
loaders.JSONFileLoader.load_file = load
answers = []
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = create_clidriver().main(shlex.split(line)[1:] + ["--generate-cli-skeleton", "output"])
        except SystemExit as exit:
            code = exit.code
    answers.append(said.getvalue() if code else "")
json.dump(answers, sys.stdout)
`;

function complaints(lines: readonly string[]): string[] {
    const answer = execFileSync("/usr/bin/python3", ["-c", kReadLines], {
        input: JSON.stringify(lines),
        env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent" },
    });
    return JSON.parse(answer.toString()) as string[];
}

describe.skipIf(!existsSync(kAws))("the aws CLI", () => {
    it("understands every line", { timeout: 120_000 }, () => {
        const lines = kCalls.map(([, line]) => line).filter((line) => !kNewer.test(line));
        expect(complaints(lines)).toEqual(lines.map(() => ""));
    });

    it("would say so otherwise", { timeout: 120_000 }, () => {
        const [complaint] = complaints(["aws ec2 stop-instances --instance-ids i-1 --forced"]);
        expect(complaint).toContain("--forced");
    });
});
