using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Quota rules (archive §10.8).</summary>
internal sealed class QuotaTests : MountedFixture
{
    [Test]
    public async Task Create_AtTheLimitOfTheWinningRule_IsRefused()
    {
        _ = await MakeTotalAsync("100");
        var rule = QuotaRule(prio: 1, op: 0, limit: 100);
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.Exists));
        Assert.That((await TryCreateAsync("a")).Error, Is.EqualTo(FsError.QuotaExceeded));

        // A rule of greater priority for one user decides for that user, though the lower one is exceeded.
        var lenient = QuotaRule(prio: 2, op: 0, limit: 101);
        lenient.NameSource[0] = 0;
        lenient.NameVal[1] = 5;
        lenient.NameSource[1] = 2;
        lenient.NameFlags[1] = 1;
        Assert.That(await Fs.ChangeQuotaRuleAsync(lenient, true, None), Is.EqualTo(FsError.None));
        Assert.That((await TryCreateAsync("b", uid: 5)).Error, Is.EqualTo(FsError.None));
        Assert.That((await TryCreateAsync("c", uid: 6)).Error, Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.NotFound));
        Assert.That((await TryCreateAsync("c", uid: 6)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Write_AtTheLimitOfACountRule_IsRefused()
    {
        _ = await MakeTotalAsync("7");
        ulong ino = await CreateAsync("f");
        var rule = QuotaRule(prio: 0, op: 1, limit: 1);
        rule.RuleFlags = 1;
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.None));
        Assert.That(
            await Fs.WriteAsync(ino, 0, new byte[1], false, false, None), Is.EqualTo((FsError.QuotaExceeded, 0)));
        Assert.That(await Fs.FallocateAsync(ino, 0, 1, false, None), Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.WriteAsync(ino, 0, new byte[1], false, false, None), Is.EqualTo((FsError.None, 1)));
    }

    [Test]
    public async Task Rule_WithoutATotalOrMalformed_DoesNothing()
    {
        Assert.That(await Fs.ChangeQuotaRuleAsync(QuotaRule(), true, None), Is.EqualTo(FsError.None));
        Assert.That((await TryCreateAsync("a")).Error, Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(QuotaRule(op: 2), true, None), Is.EqualTo(FsError.Invalid));
        var selecting = QuotaRule();
        selecting.NameFlags[0] = 1;
        Assert.That(await Fs.ChangeQuotaRuleAsync(selecting, true, None), Is.EqualTo(FsError.Invalid));
    }
}
