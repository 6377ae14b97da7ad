using System.Text;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>Quota rules (archive §10.8).</summary>
internal sealed class QuotaTests : MountedFixture
{
    [Test]
    public async Task Create_AtTheLimitOfTheWinningRule_IsRefused()
    {
        await SetTotalAsync("scoutfs.totl.x.1.2.3", "100");
        var rule = Rule(prio: 1, op: 0, limit: 100);
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.Exists));
        Assert.That((await CreateAsync("a", 0)).Error, Is.EqualTo(FsError.QuotaExceeded));

        // A rule of greater priority for one user decides for that user, though the lower one is exceeded.
        var lenient = Rule(prio: 2, op: 0, limit: 101);
        lenient.NameSource[0] = 0;
        lenient.NameVal[1] = 5;
        lenient.NameSource[1] = 2;
        lenient.NameFlags[1] = 1;
        Assert.That(await Fs.ChangeQuotaRuleAsync(lenient, true, None), Is.EqualTo(FsError.None));
        Assert.That((await CreateAsync("b", 5)).Error, Is.EqualTo(FsError.None));
        Assert.That((await CreateAsync("c", 6)).Error, Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.NotFound));
        Assert.That((await CreateAsync("c", 6)).Error, Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Write_AtTheLimitOfACountRule_IsRefused()
    {
        await SetTotalAsync("scoutfs.totl.x.1.2.3", "7");
        var (_, ino) = await CreateAsync("f", 0);
        var rule = Rule(prio: 0, op: 1, limit: 1);
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
        Assert.That(await Fs.ChangeQuotaRuleAsync(Rule(0, 0, 0), true, None), Is.EqualTo(FsError.None));
        Assert.That((await CreateAsync("a", 0)).Error, Is.EqualTo(FsError.None));
        Assert.That(await Fs.ChangeQuotaRuleAsync(Rule(0, 2, 0), true, None), Is.EqualTo(FsError.Invalid));
        var selecting = Rule(0, 0, 0);
        selecting.NameFlags[0] = 1;
        Assert.That(await Fs.ChangeQuotaRuleAsync(selecting, true, None), Is.EqualTo(FsError.Invalid));
    }

    private static QuotaRuleItem Rule(byte prio, byte op, ulong limit)
    {
        var rule = new QuotaRuleItem { Prio = prio, Op = op, Limit = limit };
        rule.NameVal[0] = 1;
        rule.NameVal[1] = 2;
        rule.NameVal[2] = 3;
        return rule;
    }

    private async Task SetTotalAsync(string name, string value)
    {
        var (_, ino) = await CreateAsync("total", 0);
        Assert.That(
            await Fs.SetXattrAsync(
                ino, Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value), XattrMode.Any, None),
            Is.EqualTo(FsError.None));
        Assert.That(await Fs.SyncAsync(None), Is.EqualTo(FsError.None));
    }

    private async Task<(FsError Error, ulong Ino)> CreateAsync(string name, uint uid)
    {
        var (error, ino, _) = await Fs.CreateAsync(
            1, Encoding.ASCII.GetBytes(name), FileMode.Regular | 0x1a4, 0, default, new Creator(uid, 0, default), None);
        return (error, ino);
    }
}
