using System.Diagnostics;
using System.IO;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Devices;

namespace ScoutFs.Integration.Tests;

/// <summary>The command mkfs: result text, notes, refusals.</summary>
internal sealed partial class CliMkfsTests
{
    private const string Slot = "0,10.0.0.1,5000";

    [Test]
    public async Task Mkfs_TwoSlots_PrintsTheReferencesText()
    {
        using var images = CliImages.Empty(64L << 30, 64L << 30);
        var run = await CliRun.RunAsync("mkfs", "-Q", "1,10.0.0.2,5000", "-Q", Slot, images.Meta, images.Data);

        string expected = $"""
            Created scoutfs filesystem:
              meta device path:       {images.Meta}
              data device path:       {images.Data}
              fsid:                   FSID
              uuid:                   UUID
              format version:         2
              64KB metadata blocks:   1048576 (64.00 GB)
              4KB data blocks:        16777216 (64.00 GB)
              quorum config version:  1
              quorum slots:           0: 10.0.0.1:5000
                                      1: 10.0.0.2:5000

            """.ReplaceLineEndings("\n");
        string masked = Fsid().Replace(Uuid().Replace(run.Expect(0).Output, "UUID"), "FSID");
        Assert.That(masked, Is.EqualTo(expected));
        Assert.That(run.Error, Is.Empty);
    }

    [Test]
    public async Task Mkfs_TwoVolumes_HaveDifferentIds()
    {
        using var first = await CliImages.FormattedAsync();
        using var second = CliImages.Empty();
        var other = await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, second.Meta, second.Data, "--json");
        using var document = JsonDocument.Parse(other.Expect(0).Output);
        string fsid = document.RootElement.GetProperty("fsid").GetString()!;

        Assert.That(fsid, Does.Match("^[0-9a-f]{16}$"));
        var print = await CliRun.RunAsync("print", "--tree", "super", first.Meta);
        Assert.That(print.Expect(0).Output, Does.Not.Contain(fsid));
        Assert.That(document.RootElement.GetProperty("total_meta_blocks").GetUInt64(), Is.EqualTo(262144));
        Assert.That(document.RootElement.GetProperty("quorum_slots")[0].GetString(), Is.EqualTo("0: 10.0.0.1:5000"));
    }

    [Test]
    public async Task Mkfs_AnyVersionAndLimits_IsCleanForBothCheckers([Values("1", "2")] string version)
    {
        using var images = CliImages.Empty();
        var run = await CliRun.RunAsync(
            "mkfs", "-A", "-V", version, "-m", "10G", "-d", "10000001K", "-z", "1048576", "-Q", Slot,
            images.Meta, images.Data);

        Assert.That(run.Expect(0).OutputLines[0], Does.StartWith("Limiting use of the meta device to 10737418240"));
        Assert.That(run.OutputLines[1], Does.StartWith("Limiting use of the data device to 10240000000"));
        Assert.That(run.Output, Does.Contain($"format version:         {version}\n"));
        Assert.That(run.Error, Does.Contain("Rounding data device size limit 10240001024 (9.54 GB) down to"));
        Assert.That(run.Error, Does.Contain(
            "10737418240 (10.00 GB) too small for min 68719476736 (64.00 GB) meta device, allowing with -A\n"));
        _ = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(0);
        await ExpectCleanForVolcheckAsync(images);
    }

    [Test]
    public async Task Mkfs_SmallDeviceWithoutA_IsRefused()
    {
        using var images = CliImages.Empty();
        (await CliRun.RunAsync("mkfs", "-Q", Slot, images.Meta, images.Data)).ExpectFailure(
            "mkfs failed: Invalid argument (22)",
            "17179869184 (16.00 GB) too small for min 68719476736 (64.00 GB) meta device");
    }

    [Test]
    public async Task Mkfs_OverAVolume_NeedsForce()
    {
        using var images = await CliImages.FormattedAsync();
        byte[] before = await ReadSuperAsync(images.Meta);

        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.Meta, images.Data)).ExpectFailure(
            "mkfs failed: Invalid argument (22)", "already holds something: scoutfs metadata device at byte 65536");
        Assert.That(await ReadSuperAsync(images.Meta), Is.EqualTo(before));

        var run = await CliRun.RunAsync("mkfs", "-fA", "-Q", Slot, images.Meta, images.Data);
        Assert.That(run.Expect(0).Error, Does.Not.Contain("still has marks"));
        Assert.That(await ReadSuperAsync(images.Meta), Is.Not.EqualTo(before));
    }

    [Test]
    public async Task Mkfs_OverAnotherFilesystem_NeedsForceAndTellsWhatIsLeft()
    {
        using var images = CliImages.Empty();
        CliImages.Write(images.Data, 0, "XFSB"u8);

        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.Meta, images.Data)).ExpectFailure(
            "mkfs failed: Invalid argument (22)", "XFS filesystem at byte 0");
        var run = await CliRun.RunAsync("mkfs", "-A", "--force", "-Q", Slot, images.Meta, images.Data);
        Assert.That(run.Expect(0).Error, Does.Contain($"{images.Data} still has marks of what it held (XFS file"));
    }

    [Test]
    public async Task Mkfs_MissingDevice_IsNotCreated()
    {
        using var images = CliImages.Empty();
        string missing = images.InDirectory("nothing.img");
        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, missing, images.Data)).ExpectFailure(
            "mkfs failed: No such file or directory (2)", missing);
        Assert.That(File.Exists(missing), Is.False);
    }

    [Test]
    public async Task Mkfs_DirectoryOrTinyFile_IsRefused()
    {
        using var images = CliImages.Empty(dataBytes: 65536);
        _ = (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.InDirectory("."), images.Data)).Expect(1);
        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.Meta, images.Data)).ExpectFailure(
            "mkfs failed: Invalid argument (22)", "too small for a data device");
    }

    [Test]
    public async Task Mkfs_SameDeviceTwice_IsRefused()
    {
        using var images = CliImages.Empty();
        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.Meta, images.Meta)).ExpectFailure(
            "mkfs failed: Invalid argument (22)", "given twice");
    }

    [Test]
    public async Task Mkfs_DeviceInUse_IsBusy()
    {
        using var images = CliImages.Empty();
        await using var holder = BlockDevices.Open(images.Meta, DeviceOpenOptions.ForWriting).Device!;
        (await CliRun.RunAsync("mkfs", "-A", "-Q", Slot, images.Meta, images.Data)).ExpectFailure(
            "mkfs failed: Device or resource busy (16)", images.Meta);
    }

    [TestCase("'0,10.0.0.1' is no quorum slot", "-Q", "0,10.0.0.1")]
    [TestCase("'15' is no quorum slot number", "-Q", "15,10.0.0.1,5000")]
    [TestCase("'node1' is no IPv4 address", "-Q", "0,node1,5000")]
    [TestCase("'70000' is no port", "-Q", "0,10.0.0.1,70000")]
    [TestCase("unknown suffix: 'Q'", "-Q", Slot, "-m", "1Q")]
    [TestCase("invalid 64bit value: 'x'", "-Q", Slot, "-z", "x")]
    [TestCase("--quorum-slot")]
    public async Task Mkfs_BadOption_IsAUsageError(string diagnostic, params string[] options)
    {
        string[] args = ["mkfs", .. options, "meta.img", "data.img"];
        (await CliRun.RunAsync(args)).ExpectUsageError("mkfs", diagnostic);
    }

    [Test]
    public async Task Mkfs_MissingOperand_IsAUsageError() =>
        (await CliRun.RunAsync("mkfs", "-Q", Slot, "meta.img")).ExpectUsageError("mkfs", "'DATA'");

    [TestCase("Quorum slot 0 is given more than once", "-Q", "0,10.0.0.2,5000")]
    [TestCase("have the same address and port", "-Q", "1,10.0.0.1,5000")]
    [TestCase("not a unicast address", "-Q", "1,224.0.0.1,5000")]
    [TestCase("Format version 3", "-V", "3")]
    [TestCase("data_alloc_zone_blocks 5", "-z", "5")]
    public async Task Mkfs_ImpossibleVolume_FailsAndWritesNothing(string diagnostic, params string[] options)
    {
        using var images = CliImages.Empty();
        string[] args = ["mkfs", "-A", "-Q", Slot, .. options, images.Meta, images.Data];
        (await CliRun.RunAsync(args)).ExpectFailure("mkfs failed: Invalid argument (22)", diagnostic);
        Assert.That(await ReadSuperAsync(images.Meta), Is.All.Zero);
    }

    private static async Task<byte[]> ReadSuperAsync(string path)
    {
        await using var file = File.OpenRead(path);
        file.Position = 65536;
        byte[] bytes = new byte[4096];
        await file.ReadExactlyAsync(bytes);
        return bytes;
    }

    // The independent checker lies beside the repository, not in it.
    private static async Task ExpectCleanForVolcheckAsync(CliImages images)
    {
        string? script = CrossCheckSession.FindScript();
        if (script is null)
            return;
        var start = new ProcessStartInfo("python3", [script, images.Meta, images.Data])
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, output);
        Assert.That(output, Does.Contain(" 0 errors, 0 warnings"));
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    [GeneratedRegex("(?<=fsid: +)[0-9a-f]{16}")]
    private static partial Regex Fsid();
}
