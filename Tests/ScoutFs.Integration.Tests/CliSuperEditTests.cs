using System.Threading.Tasks;
using NUnit.Framework;

namespace ScoutFs.Integration.Tests;

/// <summary>The commands that change super blocks: result text, refusals.</summary>
internal sealed class CliSuperEditTests
{
    [Test]
    public async Task ChangeQuorumConfig_NewSlots_PrintsTheReferencesText()
    {
        using var images = await CliImages.FormattedAsync();
        var run = await CliRun.RunAsync(
            "change-quorum-config", "-F", "-Q", "3,10.0.0.3,5003", "-Q", "2,10.0.0.2,5002", images.Meta);

        string[] lines = run.Expect(0).OutputLines;
        Assert.That(lines[0], Is.EqualTo("Successfully changed quorum config for scoutfs filesystem:"));
        Assert.That(lines[1], Is.EqualTo($"  meta device path:       {images.Meta}"));
        Assert.That(lines[2], Does.Match("^  fsid:                   [0-9a-f]{16}$"));
        Assert.That(lines[3], Does.Match("^  uuid:                   [0-9a-f-]{36}$"));
        Assert.That(lines[4], Is.EqualTo("  quorum config version:  2"));
        Assert.That(lines[5], Is.EqualTo("  quorum slots:           2: 10.0.0.2:5002"));
        Assert.That(lines[6], Is.EqualTo("                          3: 10.0.0.3:5003"));
        Assert.That(lines, Has.Length.EqualTo(7));
        _ = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(0);
    }

    [Test]
    public async Task ChangeFormatVersion_Version1_IsRaisedOnceAndNeverLowered()
    {
        using var images = await CliImages.FormattedAsync(version: 1);
        string[] command = ["change-format-version", "-F", images.Meta, images.Data];

        string[] lines = (await CliRun.RunAsync(command)).Expect(0).OutputLines;
        Assert.That(lines[0], Is.EqualTo("Successfully updated format version for scoutfs filesystem:"));
        Assert.That(lines[1], Is.EqualTo($"  meta device path:       {images.Meta}"));
        Assert.That(lines[2], Is.EqualTo($"  data device path:       {images.Data}"));
        Assert.That(lines[5], Is.EqualTo("  format version:         2"));
        Assert.That(lines, Has.Length.EqualTo(6));
        _ = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(0);

        Assert.That(
            (await CliRun.RunAsync(command)).Expect(0).Output,
            Is.EqualTo("both metadata and data device format version are already 2, nothing to do.\n"));
        (await CliRun.RunAsync([.. command, "-V", "1"])).ExpectFailure(
            "change-format-version failed: Operation not permitted (1)", "cannot go back to 1");
        (await CliRun.RunAsync([.. command, "-V", "9"])).ExpectFailure(
            "change-format-version failed: Invalid argument (22)", "Format version 9 is not one of 1 to 2");
    }

    [Test]
    public async Task ChangeFormatVersion_DevicesSwapped_SaysSo()
    {
        using var images = await CliImages.FormattedAsync();
        (await CliRun.RunAsync("change-format-version", "-F", images.Data, images.Meta)).ExpectFailure(
            "change-format-version failed: Invalid argument (22)", "Name the metadata device first");
    }

    [TestCase("change-quorum-config", "-Q", "0,10.0.0.1,5000", "meta.img")]
    [TestCase("change-format-version", "meta.img", "data.img")]
    public async Task AnyChange_WithoutOfflineFlag_IsAUsageError(string command, params string[] rest)
    {
        string[] args = [command, .. rest];
        (await CliRun.RunAsync(args)).ExpectUsageError(command, "--offline (-F) is required");
    }

    [Test]
    public async Task AnyChange_VolumeInUse_IsRefused()
    {
        using var images = await CliImages.FormattedAsync(version: 1);
        await images.MarkInUseAsync();

        (await CliRun.RunAsync("change-quorum-config", "-F", "-Q", "0,10.0.0.9,1", images.Meta)).ExpectFailure(
            "change-quorum-config failed: Device or resource busy (16)", "needs recovery");
        (await CliRun.RunAsync("change-format-version", "-F", images.Meta, images.Data)).ExpectFailure(
            "change-format-version failed: Device or resource busy (16)", "needs recovery");
        (await CliRun.RunAsync("prepare-empty-data-device", "-c", images.Meta)).ExpectFailure(
            "prepare-empty-data-device failed: Device or resource busy (16)", "needs recovery");
    }

    [Test]
    public async Task AnyChange_NoVolume_IsRefused()
    {
        using var images = CliImages.Empty();
        (await CliRun.RunAsync("change-quorum-config", "-F", "-Q", "0,10.0.0.9,1", images.Meta)).ExpectFailure(
            "change-quorum-config failed: Input/output error (5)", "holds no scoutfs volume");
    }

    [Test]
    public async Task PrepareEmptyDataDevice_EmptyVolume_TakesANewDevice()
    {
        using var images = await CliImages.FormattedAsync();
        string newData = images.InDirectory("new.img");
        CliImages.SetLength(newData, 17L << 30);

        Assert.That(
            (await CliRun.RunAsync("prepare-empty-data-device", "-c", images.Meta)).Expect(0).Output,
            Is.EqualTo("All checks passed.\n"));
        (await CliRun.RunAsync("check", images.Meta, newData)).Expect(2);
        _ = (await CliRun.RunAsync("prepare-empty-data-device", images.Meta, newData)).Expect(0);
        _ = (await CliRun.RunAsync("check", images.Meta, newData)).Expect(0);
        _ = (await CliRun.RunAsync("prepare-empty-data-device", images.Meta, newData)).Expect(0);
    }

    [Test]
    public async Task PrepareEmptyDataDevice_DeviceWithSomethingOnIt_IsRefused()
    {
        using var images = await CliImages.FormattedAsync();
        using var other = await CliImages.FormattedAsync();

        (await CliRun.RunAsync("prepare-empty-data-device", images.Meta, other.Data)).ExpectFailure(
            "prepare-empty-data-device failed: Invalid argument (22)", "scoutfs data device");
        (await CliRun.RunAsync("prepare-empty-data-device", images.Meta, other.Meta)).ExpectFailure(
            "prepare-empty-data-device failed: Invalid argument (22)", "metadata device");
        _ = (await CliRun.RunAsync("check", other.Meta, other.Data)).Expect(0);
    }

    [Test]
    public async Task PrepareEmptyDataDevice_VolumeWithData_SaysWhy()
    {
        using var images = await CliImages.GoldenAsync("g1-basic");
        string small = images.InDirectory("small.img");
        CliImages.SetLength(small, 1 << 30);

        var run = await CliRun.RunAsync("prepare-empty-data-device", "--check", images.Meta, small);
        run.ExpectFailure(
            "prepare-empty-data-device failed: Invalid argument (22)",
            "Errors were found that must be addressed before a new empty data device could be prepared and used.\n");
        Assert.That(run.Error, Does.Contain("data blocks of the volume"));
        Assert.That(run.Error, Does.Contain("small.img has 1073741824 (1.00 GB)"));
        _ = (await CliRun.RunAsync("prepare-empty-data-device", images.Meta, small)).Expect(1);
    }

    [Test]
    public async Task PrepareEmptyDataDevice_WithoutDevice_IsAUsageErrorUnlessChecking() =>
        (await CliRun.RunAsync("prepare-empty-data-device", "meta.img")).ExpectUsageError(
            "prepare-empty-data-device", "DATA is missing");
}
