using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using NUnit.Framework.Constraints;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class FormatPlanTests
{
    private const ulong GiB = 1UL << 30;
    private static readonly QuorumSlot Slot0 = new(0, 0x7f000001, 5000);

    [Test]
    public void Create_WholeDevices_CountsBlocksAndIsSilent()
    {
        var plan = Create(Request(), 64 * GiB, 128 * GiB);

        Assert.That(plan.TotalMetaBlocks, Is.EqualTo(1048576));
        Assert.That(plan.TotalDataBlocks, Is.EqualTo(33554432));
        Assert.That(plan.Notes, Is.Empty);
    }

    [Test]
    public void Create_SameSeed_GivesSameIds()
    {
        var (first, second) = (Create(Request()), Create(Request()));
        Assert.That(first.Fsid, Is.EqualTo(second.Fsid));
        Assert.That(first.Uuid, Is.EqualTo(second.Uuid));
        Assert.That(first.Uuid.Version, Is.EqualTo(4));
    }

    [Test]
    public void Create_DeviceBelow64GiB_NeedsAllowSmall()
    {
        Assert.That(
            () => Create(Request(), (64 * GiB) - 4096, 64 * GiB),
            Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.TooSmall)
                .And.Message.Contains("too small for min 68719476736 (64.00 GB) meta device"));

        var plan = Create(Request() with { AllowSmall = true }, 16 * GiB, 64 * GiB);
        Assert.That(plan.Notes.Single().IsDiagnostic, Is.True);
        Assert.That(
            plan.Notes.Single().Text,
            Is.EqualTo(
                "17179869184 (16.00 GB) too small for min 68719476736 (64.00 GB) meta device, allowing with -A"));
    }

    [TestCase(1032UL, 65UL)]
    [TestCase(1033UL, 64UL)]
    public void Create_TooSmallForAnyVolume_IsRefusedEvenIfAllowed(ulong metaBlocks, ulong dataBlocks)
    {
        Assert.That(
            () => Create(Request() with { AllowSmall = true }, metaBlocks * 65536, dataBlocks * 4096),
            Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.TooSmall));
    }

    [Test]
    public void Create_SmallestVolume_IsAccepted()
    {
        var plan = Create(Request() with { AllowSmall = true }, 1033 * 65536, 65 * 4096);
        Assert.That(plan.TotalMetaBlocks, Is.EqualTo(1033));
        Assert.That(plan.TotalDataBlocks, Is.EqualTo(65));
    }

    [Test]
    public void Create_Limits_RoundDownAndAreIgnoredBeyondTheDevice()
    {
        var request = Request() with { MetaLimitBytes = (64 * GiB) + 1, DataLimitBytes = 200 * GiB };
        var plan = Create(request, 100 * GiB, 128 * GiB);

        Assert.That(plan.TotalMetaBlocks, Is.EqualTo(1048576));
        Assert.That(plan.TotalDataBlocks, Is.EqualTo(33554432));
        Assert.That(plan.Notes.Select(note => note.IsDiagnostic), Is.EqualTo(new[] { true, false, false }));
        Assert.That(plan.Notes[0].Text, Does.StartWith("Rounding meta device size limit 68719476737"));
        Assert.That(plan.Notes[1].Text, Does.StartWith("Limiting use of the meta device to 68719476736 (64.00 GB)"));
        Assert.That(plan.Notes[2].Text, Does.EndWith("Device size limit ignored."));
    }

    [TestCase(1048575UL, false)]
    [TestCase(1048576UL, true)]
    [TestCase(16777216UL, true)]
    [TestCase(16777217UL, false)]
    public void Create_ZoneOnSmallDevice_IsFrom4GiBToTheDevice(ulong zone, bool isGood)
    {
        IResolveConstraint expected = isGood ? Throws.Nothing : Throws.InstanceOf<VolumeException>();
        Assert.That(() => Create(Request() with { DataAllocZoneBlocks = zone }), expected);
    }

    [Test]
    public void Create_ZoneOnLargeDevice_AllowsAtMost1024Zones()
    {
        const ulong DataBytes = ((1UL << 31) + 1) * 4096;
        Assert.That(
            () => Create(Request() with { DataAllocZoneBlocks = 1UL << 21 }, dataBytes: DataBytes),
            Throws.InstanceOf<VolumeException>());
        Assert.That(
            () => Create(Request() with { DataAllocZoneBlocks = (1UL << 21) + 1 }, dataBytes: DataBytes),
            Throws.Nothing);
    }

    [TestCase(0UL)]
    [TestCase(3UL)]
    public void Create_UnknownVersion_IsRefused(ulong version)
    {
        Assert.That(
            () => Create(Request() with { FormatVersion = version }),
            Throws.InstanceOf<VolumeException>().With.Property("Error").EqualTo(FsError.Invalid));
    }

    [TestCaseSource(nameof(BadSlots))]
    public void Create_BadSlots_AreRefused(string expected, QuorumSlot[] slots)
    {
        Assert.That(
            () => Create(new FormatRequest { Slots = slots }),
            Throws.InstanceOf<VolumeException>().With.Message.Contains(expected));
    }

    private static IEnumerable<TestCaseData> BadSlots()
    {
        yield return Case("At least one", []);
        yield return Case("not one of 0 to 14", [new(15, 0x7f000001, 1)]);
        yield return Case("not one of 0 to 14", [new(-1, 0x7f000001, 1)]);
        yield return Case("port 0", [new(0, 0x7f000001, 0)]);
        yield return Case("not a unicast", [new(0, 0, 1)]);
        yield return Case("not a unicast", [new(0, 0xffffffff, 1)]);
        yield return Case("224.0.0.1", [new(0, 0xe0000001, 1)]);
        yield return Case("more than once", [Slot0, new(0, 0x7f000002, 1)]);
        yield return Case("slots 0 and 3 have the same", [Slot0, new(3, 0x7f000001, 5000)]);

        static TestCaseData Case(string expected, QuorumSlot[] slots) => new(expected, slots);
    }

    private static FormatRequest Request() => new() { Slots = [Slot0] };

    private static FormatPlan Create(
        FormatRequest request, ulong metaBytes = 64 * GiB, ulong dataBytes = 64 * GiB) =>
        FormatPlan.Create(request, metaBytes, dataBytes, new Prng(1), DateTimeOffset.UnixEpoch);
}
