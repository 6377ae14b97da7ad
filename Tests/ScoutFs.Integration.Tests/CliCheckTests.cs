using System.Threading.Tasks;
using NUnit.Framework;

namespace ScoutFs.Integration.Tests;

/// <summary>Checks of the wrong devices, which are no damage of the volume.</summary>
internal sealed class CliCheckTests
{
    [Test]
    public async Task Check_DevicesSwapped_SaysSoAndCouldNotCheck()
    {
        using var images = await CliImages.FormattedAsync();
        ExpectMistake(
            await CliRun.RunAsync("check", images.Data, images.Meta), "The metadata and data devices are swapped");
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Check_SameDeviceTwice_SaysSoAndCouldNotCheck(bool isMeta)
    {
        using var images = await CliImages.FormattedAsync();
        string path = isMeta ? images.Meta : images.Data;
        ExpectMistake(await CliRun.RunAsync("check", path, path), "Both arguments are the same device");
    }

    [Test]
    public async Task Check_DevicesOfTwoVolumes_SaysSoAndCouldNotCheck()
    {
        using var images = await CliImages.FormattedAsync();
        using var others = await CliImages.FormattedAsync();
        ExpectMistake(await CliRun.RunAsync("check", images.Meta, others.Data), "belong to different volumes");
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Check_DeviceTruncated_SaysSoWithBothSizes(bool isMeta)
    {
        const long TruncatedBytes = 1L << 30;
        using var images = await CliImages.FormattedAsync();
        CliImages.SetLength(isMeta ? images.Meta : images.Data, TruncatedBytes);

        var run = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(1);
        Assert.That(run.Output, Does.Contain($" has {TruncatedBytes} bytes, but the volume says {16L << 30} bytes"));
        Assert.That(run.Output, Does.Contain($"{images.Meta}: TRUNCATED or damaged"));
    }

    [Test]
    public async Task Check_SuperBlockDamaged_IsAFindingAndNoMistake()
    {
        using var images = await CliImages.FormattedAsync();
        CliImages.Write(images.Data, 65536 + 100, [0xff]);
        var run = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(1);
        Assert.That(run.Output, Does.Contain("ERROR I1").And.Contain("DAMAGED"));
    }

    private static void ExpectMistake(CliRun run, string mistake)
    {
        _ = run.Expect(2);
        Assert.That(run.Output, Is.Empty);
        Assert.That(run.Error, Does.Contain(mistake));
        Assert.That(run.Error, Does.EndWith("scoutfs: check failed: Invalid argument (22)\n"));
    }
}
