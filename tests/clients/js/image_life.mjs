// SPDX-License-Identifier: Apache-2.0
// An image's life through the JavaScript SDK: run by tests/conformance/current_javascript.py, which gives the endpoint, two accounts'
// keys and the directory that has the SDK. Prints a line for each step that was done.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";

const sdk = createRequire(path.join(process.env.KILN_CLIENTS, "package.json"));
const EC2 = sdk("@aws-sdk/client-ec2");
const EBS = sdk("@aws-sdk/client-ebs");
const STS = sdk("@aws-sdk/client-sts");
const IAM = sdk("@aws-sdk/client-iam");
const SSM = sdk("@aws-sdk/client-ssm");

const HERE = "us-east-1";
const THERE = "eu-west-1";
const BLOCK = 524288;
const SOON = { maxWaitTime: 60, minDelay: 1, maxDelay: 1 };

const keys = (name) => ({ accessKeyId: process.env[`${name}_KEY`], secretAccessKey: process.env[`${name}_SECRET`] });
const owner = keys("OWNER");
const other = keys("OTHER");
// One attempt: a retry would hide the first answer.
const settings = (credentials, region = HERE) => ({ endpoint: process.env.KILN_ENDPOINT, region, credentials, maxAttempts: 1 });
const ec2 = new EC2.EC2Client(settings(owner));
const there = new EC2.EC2Client(settings(owner, THERE));
const theirs = new EC2.EC2Client(settings(other));
const ebs = new EBS.EBSClient(settings(owner));
const sts = new STS.STSClient(settings(owner));
const iam = new IAM.IAMClient(settings(owner));
const ssm = new SSM.SSMClient(settings(owner));

const sha256 = (data) => createHash("sha256").update(data).digest("base64");

async function refused(code, promise) {
    const error = await promise.then(
        () => assert.fail(`expected ${code}, was accepted`),
        (failure) => failure,
    );
    assert.equal(error.name, code, String(error));
    return error;
}

async function all(pages, key) {
    const found = [];
    for await (const page of pages) {
        found.push(...(page[key] ?? []));
    }
    return found;
}

async function steps(list) {
    const kept = {};
    for (const [name, step] of Object.entries(list)) {
        await step(kept);
        console.log(`ok ${name}`);
    }
}

await steps({
    async "who I am"(kept) {
        const me = await sts.send(new STS.GetCallerIdentityCommand({}));
        assert.match(me.Account, /^\d{12}$/);
        kept.account = me.Account;
        kept.other = (await new STS.STSClient(settings(other)).send(new STS.GetCallerIdentityCommand({}))).Account;
        assert.notEqual(kept.account, kept.other);
    },

    async "a volume and its snapshot"(kept) {
        const made = await ec2.send(new EC2.CreateVolumeCommand({ Size: 1, AvailabilityZone: `${HERE}a`, VolumeType: "gp3", TagSpecifications: [{ ResourceType: "volume", Tags: [{ Key: "made", Value: "by js" }] }] }));
        assert.equal(made.State, "creating");
        assert.ok(made.CreateTime instanceof Date);
        assert.deepEqual(made.Tags, [{ Key: "made", Value: "by js" }]);
        const waited = await EC2.waitUntilVolumeAvailable({ client: ec2, ...SOON }, { VolumeIds: [made.VolumeId] });
        assert.equal(waited.state, "SUCCESS");
        kept.volume = made.VolumeId;
        const cut = await ec2.send(new EC2.CreateSnapshotCommand({ VolumeId: made.VolumeId, Description: "ümläut & <tag>" }));
        await EC2.waitUntilSnapshotCompleted({ client: ec2, ...SOON }, { SnapshotIds: [cut.SnapshotId] });
        const shown = await ec2.send(new EC2.DescribeSnapshotsCommand({ SnapshotIds: [cut.SnapshotId] }));
        assert.equal(shown.Snapshots[0].Description, "ümläut & <tag>");
        assert.equal(shown.Snapshots[0].Progress, "100%");
        kept.empty = cut.SnapshotId;
    },

    async "blocks put into a snapshot and got back"(kept) {
        const begun = await ebs.send(new EBS.StartSnapshotCommand({ VolumeSize: 1, Description: "by js", Tags: [{ Key: "made", Value: "by js" }] }));
        assert.equal(begun.BlockSize, BLOCK);
        assert.ok(begun.StartTime instanceof Date);
        kept.blocks = new Map([0, 5, 2047].map((index) => [index, randomBytes(BLOCK)]));
        for (const [index, data] of kept.blocks) {
            const put = await ebs.send(new EBS.PutSnapshotBlockCommand({ SnapshotId: begun.SnapshotId, BlockIndex: index, BlockData: data, DataLength: BLOCK, Checksum: sha256(data), ChecksumAlgorithm: "SHA256" }));
            assert.equal(put.Checksum, sha256(data));
        }
        const linear = sha256(Buffer.concat([...kept.blocks.values()].map((data) => createHash("sha256").update(data).digest())));
        const done = await ebs.send(new EBS.CompleteSnapshotCommand({ SnapshotId: begun.SnapshotId, ChangedBlocksCount: 3, Checksum: linear, ChecksumAlgorithm: "SHA256", ChecksumAggregationMethod: "LINEAR" }));
        assert.match(done.Status, /^(pending|completed)$/);
        await EC2.waitUntilSnapshotCompleted({ client: ec2, ...SOON }, { SnapshotIds: [begun.SnapshotId] });
        kept.snapshot = begun.SnapshotId;
        const listed = await all(EBS.paginateListSnapshotBlocks({ client: ebs }, { SnapshotId: kept.snapshot }), "Blocks");
        assert.deepEqual(listed.map((block) => block.BlockIndex), [0, 5, 2047]);
        for (const block of listed) {
            const got = await ebs.send(new EBS.GetSnapshotBlockCommand({ SnapshotId: kept.snapshot, ...block }));
            const data = Buffer.from(await got.BlockData.transformToByteArray());
            assert.ok(data.equals(kept.blocks.get(block.BlockIndex)), `block ${block.BlockIndex}`);
            assert.equal(got.DataLength, BLOCK);
            assert.equal(got.Checksum, sha256(data));
        }
        const wrong = ebs.send(new EBS.PutSnapshotBlockCommand({ SnapshotId: kept.snapshot, BlockIndex: 1, BlockData: kept.blocks.get(0), DataLength: BLOCK, Checksum: sha256(kept.blocks.get(0)), ChecksumAlgorithm: "SHA256" }));
        const error = await refused("ValidationException", wrong);
        assert.equal(error.$metadata.httpStatusCode, 400);
        assert.ok(error instanceof EBS.ValidationException);
        const unknown = await refused("ResourceNotFoundException", ebs.send(new EBS.ListSnapshotBlocksCommand({ SnapshotId: "snap-0fedcba9876543210" })));
        assert.equal(unknown.Reason, "SNAPSHOT_NOT_FOUND");
    },

    async "what changed between two"(kept) {
        const begun = await ebs.send(new EBS.StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: kept.snapshot }));
        const data = randomBytes(BLOCK);
        await ebs.send(new EBS.PutSnapshotBlockCommand({ SnapshotId: begun.SnapshotId, BlockIndex: 6, BlockData: data, DataLength: BLOCK, Checksum: sha256(data), ChecksumAlgorithm: "SHA256" }));
        await ebs.send(new EBS.CompleteSnapshotCommand({ SnapshotId: begun.SnapshotId, ChangedBlocksCount: 1 }));
        await EC2.waitUntilSnapshotCompleted({ client: ec2, ...SOON }, { SnapshotIds: [begun.SnapshotId] });
        const changed = await all(EBS.paginateListChangedBlocks({ client: ebs }, { FirstSnapshotId: kept.snapshot, SecondSnapshotId: begun.SnapshotId }), "ChangedBlocks");
        assert.deepEqual(changed.map((block) => block.BlockIndex), [6]);
        assert.ok(changed[0].SecondBlockToken && !changed[0].FirstBlockToken);
        await ec2.send(new EC2.DeleteSnapshotCommand({ SnapshotId: begun.SnapshotId }));
    },

    async "an image, found by filters"(kept) {
        const made = await ec2.send(
            new EC2.RegisterImageCommand({
                Name: "image-of-js", Description: "by js", Architecture: "x86_64", VirtualizationType: "hvm", RootDeviceName: "/dev/xvda", EnaSupport: true, BootMode: "uefi",
                BlockDeviceMappings: [
                    { DeviceName: "/dev/xvda", Ebs: { SnapshotId: kept.snapshot, VolumeSize: 8, VolumeType: "gp3", Iops: 4000, Throughput: 200, DeleteOnTermination: true } },
                    { DeviceName: "/dev/xvdb", Ebs: { VolumeSize: 2 } },
                ],
                TagSpecifications: [{ ResourceType: "image", Tags: [{ Key: "made", Value: "by js" }] }],
            }),
        );
        kept.image = made.ImageId;
        await EC2.waitUntilImageAvailable({ client: ec2, ...SOON }, { ImageIds: [made.ImageId] });
        for (const filter of [
            { Name: "name", Values: ["image-of-*"] },
            { Name: "tag:made", Values: ["by js"] },
            { Name: "block-device-mapping.snapshot-id", Values: [kept.snapshot] },
            { Name: "architecture", Values: ["x86_64"] },
        ]) {
            const found = await ec2.send(new EC2.DescribeImagesCommand({ Owners: ["self"], Filters: [filter, { Name: "state", Values: ["available"] }] }));
            assert.deepEqual(found.Images.map((image) => image.ImageId), [made.ImageId], filter.Name);
        }
        const [image] = (await ec2.send(new EC2.DescribeImagesCommand({ ImageIds: [made.ImageId] }))).Images;
        assert.equal(image.OwnerId, kept.account);
        assert.equal(image.Public, false);
        assert.equal(image.EnaSupport, true);
        assert.equal(image.BlockDeviceMappings[0].Ebs.Throughput, 200);
        assert.match(image.CreationDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
        await refused("InvalidAMIName.Duplicate", ec2.send(new EC2.RegisterImageCommand({ Name: "image-of-js", RootDeviceName: "/dev/xvda", BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId: kept.snapshot } }] })));
    },

    async "a copy in another region"(kept) {
        const copy = await there.send(new EC2.CopyImageCommand({ Name: "copy-of-js", SourceImageId: kept.image, SourceRegion: HERE, CopyImageTags: true }));
        await EC2.waitUntilImageAvailable({ client: there, ...SOON }, { ImageIds: [copy.ImageId] });
        const [image] = (await there.send(new EC2.DescribeImagesCommand({ ImageIds: [copy.ImageId] }))).Images;
        assert.equal(image.SourceImageId, kept.image);
        assert.equal(image.SourceImageRegion, HERE);
        assert.deepEqual(image.Tags, [{ Key: "made", Value: "by js" }]);
        const snapshot = image.BlockDeviceMappings[0].Ebs.SnapshotId;
        const blocks = new EBS.EBSClient(settings(owner, THERE));
        const [first] = (await blocks.send(new EBS.ListSnapshotBlocksCommand({ SnapshotId: snapshot }))).Blocks;
        const got = await blocks.send(new EBS.GetSnapshotBlockCommand({ SnapshotId: snapshot, ...first }));
        assert.ok(Buffer.from(await got.BlockData.transformToByteArray()).equals(kept.blocks.get(first.BlockIndex)));
        // The SDK presigns this one for the region of the source.
        const cut = await there.send(new EC2.CopySnapshotCommand({ SourceRegion: HERE, SourceSnapshotId: kept.snapshot }));
        await EC2.waitUntilSnapshotCompleted({ client: there, ...SOON }, { SnapshotIds: [cut.SnapshotId] });
        const gone = await there.send(new EC2.DeregisterImageCommand({ ImageId: copy.ImageId, DeleteAssociatedSnapshots: true }));
        assert.deepEqual(gone.DeleteSnapshotResults, [{ SnapshotId: snapshot, ReturnCode: "success" }]);
    },

    async "shared, and used by whom it is shared with"(kept) {
        await refused("InvalidAMIID.NotFound", theirs.send(new EC2.DescribeImagesCommand({ ImageIds: [kept.image] })));
        await ec2.send(new EC2.ModifyImageAttributeCommand({ ImageId: kept.image, LaunchPermission: { Add: [{ UserId: kept.other }] } }));
        const told = await ec2.send(new EC2.DescribeImageAttributeCommand({ ImageId: kept.image, Attribute: "launchPermission" }));
        assert.deepEqual(told.LaunchPermissions, [{ UserId: kept.other }]);
        const shown = await theirs.send(new EC2.DescribeImagesCommand({ ExecutableUsers: ["self"] }));
        assert.deepEqual(shown.Images.map((image) => image.ImageId), [kept.image]);
        const run = await theirs.send(new EC2.RunInstancesCommand({ ImageId: kept.image, InstanceType: "t3.nano", MinCount: 1, MaxCount: 1 }));
        const [instance] = run.Instances;
        await EC2.waitUntilInstanceRunning({ client: theirs, ...SOON }, { InstanceIds: [instance.InstanceId] });
        await theirs.send(new EC2.TerminateInstancesCommand({ InstanceIds: [instance.InstanceId] }));
        await EC2.waitUntilInstanceTerminated({ client: theirs, ...SOON }, { InstanceIds: [instance.InstanceId] });
    },

    async "launched once by one token, and an image of the instance"(kept) {
        const request = { ImageId: kept.image, InstanceType: "t3.nano", MinCount: 2, MaxCount: 2, ClientToken: "one-token", UserData: Buffer.from("data").toString("base64") };
        const first = await ec2.send(new EC2.RunInstancesCommand(request));
        const again = await ec2.send(new EC2.RunInstancesCommand(request));
        const ids = first.Instances.map((instance) => instance.InstanceId);
        assert.deepEqual(again.Instances.map((instance) => instance.InstanceId).sort(), [...ids].sort());
        await refused("IdempotentParameterMismatch", ec2.send(new EC2.RunInstancesCommand({ ...request, InstanceType: "t3.micro" })));
        await EC2.waitUntilInstanceRunning({ client: ec2, ...SOON }, { InstanceIds: ids });
        await EC2.waitUntilInstanceStatusOk({ client: ec2, ...SOON }, { InstanceIds: ids });
        const data = await ec2.send(new EC2.DescribeInstanceAttributeCommand({ InstanceId: ids[0], Attribute: "userData" }));
        assert.equal(Buffer.from(data.UserData.Value, "base64").toString(), "data");
        const made = await ec2.send(new EC2.CreateImageCommand({ InstanceId: ids[0], Name: "second-of-js", NoReboot: true }));
        await EC2.waitUntilImageAvailable({ client: ec2, ...SOON }, { ImageIds: [made.ImageId] });
        await ec2.send(new EC2.DeregisterImageCommand({ ImageId: made.ImageId, DeleteAssociatedSnapshots: true }));
        await ec2.send(new EC2.StopInstancesCommand({ InstanceIds: ids }));
        await EC2.waitUntilInstanceStopped({ client: ec2, ...SOON }, { InstanceIds: ids });
        await ec2.send(new EC2.TerminateInstancesCommand({ InstanceIds: ids }));
        await EC2.waitUntilInstanceTerminated({ client: ec2, ...SOON }, { InstanceIds: ids });
        // A waiter ends at once where it cannot have success any more.
        const failed = await EC2.waitUntilInstanceRunning({ client: ec2, ...SOON }, { InstanceIds: ids }).catch((error) => error);
        assert.match(failed.message, /FAILURE/);
    },

    async "deprecated, deregistered, its snapshots gone"(kept) {
        const when = new Date(Date.UTC(2033, 0, 1));
        await ec2.send(new EC2.EnableImageDeprecationCommand({ ImageId: kept.image, DeprecateAt: when }));
        const [image] = (await ec2.send(new EC2.DescribeImagesCommand({ ImageIds: [kept.image] }))).Images;
        assert.equal(image.DeprecationTime, "2033-01-01T00:00:00.000Z");
        await refused("InvalidSnapshot.InUse", ec2.send(new EC2.DeleteSnapshotCommand({ SnapshotId: kept.snapshot })));
        await refused("DryRunOperation", ec2.send(new EC2.DeregisterImageCommand({ ImageId: kept.image, DryRun: true })));
        const gone = await ec2.send(new EC2.DeregisterImageCommand({ ImageId: kept.image, DeleteAssociatedSnapshots: true }));
        assert.equal(gone.Return, true);
        assert.deepEqual(gone.DeleteSnapshotResults, [{ SnapshotId: kept.snapshot, ReturnCode: "success" }]);
        assert.deepEqual((await ec2.send(new EC2.DescribeImagesCommand({ ImageIds: [kept.image] }))).Images ?? [], []);
        await refused("InvalidAMIID.Unavailable", ec2.send(new EC2.RunInstancesCommand({ ImageId: kept.image, InstanceType: "t3.nano", MinCount: 1, MaxCount: 1 })));
        const error = await refused("InvalidSnapshot.NotFound", ec2.send(new EC2.DescribeSnapshotsCommand({ SnapshotIds: [kept.snapshot] })));
        assert.equal(error.$metadata.httpStatusCode, 400);
        assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
    },

    async "pages"(kept) {
        for (let number = 0; number < 11; number++) {
            await ec2.send(new EC2.CopySnapshotCommand({ SourceRegion: HERE, SourceSnapshotId: kept.empty, Description: `number ${number}` }));
            await ec2.send(new EC2.RegisterImageCommand({ Name: `page-${number}`, RootDeviceName: "/dev/xvda", BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId: kept.empty } }] }));
        }
        const snapshots = await all(EC2.paginateDescribeSnapshots({ client: ec2, pageSize: 5 }, { OwnerIds: ["self"] }), "Snapshots");
        assert.equal(new Set(snapshots.map((snapshot) => snapshot.SnapshotId)).size, 12);
        const images = await all(EC2.paginateDescribeImages({ client: ec2, pageSize: 5 }, { Owners: ["self"] }), "Images");
        assert.deepEqual(images.map((image) => image.Name).sort(), [...Array(11).keys()].map((number) => `page-${number}`).sort());
        await refused("InvalidNextToken", ec2.send(new EC2.DescribeImagesCommand({ NextToken: "bm90aGluZw==" })));
    },

    async "a role's keys"(kept) {
        const trust = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { AWS: kept.account }, Action: "sts:AssumeRole" }] };
        const allowed = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "ec2:DescribeImages", Resource: "*" }] };
        const { Role } = await iam.send(new IAM.CreateRoleCommand({ RoleName: "role-of-js", AssumeRolePolicyDocument: JSON.stringify(trust) }));
        await IAM.waitUntilRoleExists({ client: iam, ...SOON }, { RoleName: "role-of-js" });
        await iam.send(new IAM.PutRolePolicyCommand({ RoleName: "role-of-js", PolicyName: "some", PolicyDocument: JSON.stringify(allowed) }));
        const taken = await sts.send(new STS.AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: "js" }));
        const session = { accessKeyId: taken.Credentials.AccessKeyId, secretAccessKey: taken.Credentials.SecretAccessKey, sessionToken: taken.Credentials.SessionToken };
        assert.ok(taken.Credentials.Expiration instanceof Date);
        const limited = new EC2.EC2Client(settings(session));
        await limited.send(new EC2.DescribeImagesCommand({}));
        const error = await refused("UnauthorizedOperation", limited.send(new EC2.DescribeVolumesCommand({})));
        assert.equal(error.$metadata.httpStatusCode, 403);
        assert.equal((await refused("NoSuchEntityException", iam.send(new IAM.GetRoleCommand({ RoleName: "nobody" })))).$metadata.httpStatusCode, 404);
        assert.deepEqual((await all(IAM.paginateListRoles({ client: iam }, {}), "Roles")).map((role) => role.RoleName), ["role-of-js"]);
        await refused("AuthFailure", new EC2.EC2Client(settings({ ...owner, secretAccessKey: "x".repeat(40) })).send(new EC2.DescribeImagesCommand({})));
    },

    async "parameters"() {
        const put = await ssm.send(new SSM.PutParameterCommand({ Name: "/js/image", Value: "ami-0fedcba9876543210", Type: "String", DataType: "text" }));
        assert.equal(put.Version, 1);
        const got = await ssm.send(new SSM.GetParameterCommand({ Name: "/js/image" }));
        assert.equal(got.Parameter.Value, "ami-0fedcba9876543210");
        assert.ok(got.Parameter.LastModifiedDate instanceof Date);
        const below = await all(SSM.paginateGetParametersByPath({ client: ssm }, { Path: "/js" }), "Parameters");
        assert.deepEqual(below.map((parameter) => parameter.Name), ["/js/image"]);
        const error = await refused("ParameterNotFound", ssm.send(new SSM.GetParameterCommand({ Name: "/js/none" })));
        assert.ok(error instanceof SSM.ParameterNotFound);
    },
});
console.log("all done");
