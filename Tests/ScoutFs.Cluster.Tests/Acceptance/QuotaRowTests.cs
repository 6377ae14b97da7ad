using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Acceptance;

/// <summary>Rows quota and quota-invalidate-race (archive §10.8).</summary>
internal sealed class QuotaRowTests : AcceptanceFixture
{
    private const byte Literal = 0;
    private const byte Project = 1;
    private const byte Uid = 2;
    private const byte Gid = 3;

    private int _names;

    [Test]
    public async Task Rule_OfInodes_BlocksCreationOfEveryKindAndNothingElse()
    {
        ulong file = await MakeTotalAsync("10");
        ulong directory = await MakeDirectoryAsync("d");
        var rule = QuotaRule(op: 0, limit: 10);
        await ChangeAsync(rule, isAdded: true);
        foreach (uint type in new[] { FileMode.Regular, FileMode.Directory, FileMode.Fifo, FileMode.CharDevice })
            Assert.That(await CreatesAsync(type), Is.EqualTo(FsError.QuotaExceeded), $"{type:x}");
        var (error, _, _) = await Fs.CreateAsync(
            Root, Name("sym"), FileMode.Symlink | 0x1ff, 0, Name("x"), default, None);
        Assert.That(error, Is.EqualTo(FsError.QuotaExceeded));
        (error, _, _) = await Fs.CreateAsync(directory, default, RegularMode, 0, default, default, None);
        Assert.That(error, Is.EqualTo(FsError.QuotaExceeded), "unnamed");
        await WriteBlocksAsync(file, 0);
        Assert.That(await Fs.FallocateAsync(file, 0, 10 * Block, false, None), Is.EqualTo(FsError.None));
        Assert.That((await Fs.LinkAsync(file, directory, Name("l"), false, None)).Error, Is.EqualTo(FsError.None));
        await ChangeAsync(rule, isAdded: false);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Rule_OfData_BlocksWritingAndFallocateAndNothingElse()
    {
        ulong file = await MakeTotalAsync("10");
        await WriteBlocksAsync(file, 0, 2);
        await ChangeAsync(QuotaRule(op: 1, limit: 10), isAdded: true);
        Assert.That(
            (await Fs.WriteAsync(file, 0, new byte[1], false, false, None)).Error, Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await Fs.FallocateAsync(file, 0, Block, true, None), Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None));
        byte[] contents = await ReadAsync(file, 0, 2 * (int)Block);
        await ReleaseAsync(file);
        await StageAsync(file, 0, contents);
        Assert.That((await Fs.TruncateAsync(file, 100 * Block, None)).Error, Is.EqualTo(FsError.None));
    }

    // Limits are changed by a new rule and the deletion of the old one.
    [Test]
    public async Task Limit_Raised_AllowsAgain()
    {
        await MakeTotalAsync("10");
        await ChangeAsync(QuotaRule(limit: 10), isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.QuotaExceeded));
        await ChangeAsync(QuotaRule(limit: 11), isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None), "the greater limit wins");
        await ChangeAsync(QuotaRule(limit: 10), isAdded: false);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None));
        await ChangeAsync(QuotaRule(limit: 9), isAdded: true);
        await ChangeAsync(QuotaRule(limit: 11), isAdded: false);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.QuotaExceeded));
    }

    [Test]
    public async Task Selectors_OfARule_MustAllMatch()
    {
        await MakeTotalAsync("10");
        ulong directory = await MakeDirectoryAsync("p");
        _ = await Fs.SetAttributesAsync(directory, new AttributeChanges { Project = 7 }, None);
        var rule = QuotaRule(limit: 10);
        Select(ref rule, 0, Project, 7);
        Select(ref rule, 1, Uid, 8);
        Select(ref rule, 2, Gid, 9);

        // Attributes that are selected by also name the total.
        await MakeTotalAsync("10", "7.8.9");
        await ChangeAsync(rule, isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular, directory, 8, 9), Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await CreatesAsync(FileMode.Regular, directory, 8, 10), Is.EqualTo(FsError.None));
        Assert.That(await CreatesAsync(FileMode.Regular, directory, 1, 9), Is.EqualTo(FsError.None));
        Assert.That(await CreatesAsync(FileMode.Regular, Root, 8, 9), Is.EqualTo(FsError.None));
    }

    [Test]
    public async Task Directory_WithSetGroupId_CountsForItsGroup()
    {
        await MakeTotalAsync("1", "1.2.44");
        ulong directory = await MakeDirectoryAsync("d");
        _ = await Fs.SetAttributesAsync(directory, new AttributeChanges { Gid = 44, Permissions = 0x5ed }, None);
        var rule = QuotaRule(limit: 1);
        Select(ref rule, 2, Gid, 44);
        await ChangeAsync(rule, isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular, directory, 0, 5), Is.EqualTo(FsError.QuotaExceeded));
        Assert.That(await CreatesAsync(FileMode.Regular, Root, 0, 5), Is.EqualTo(FsError.None));
        Assert.That(await CreatesAsync(FileMode.Regular, Root, 0, 44), Is.EqualTo(FsError.QuotaExceeded));
    }

    [Test]
    public async Task Limit_Zero_NeedsAnExistingTotal()
    {
        // Made first, as results may be some seconds old.
        await MakeTotalAsync("0");
        var missing = QuotaRule(limit: 0);
        missing.NameVal[2] = 4;
        await ChangeAsync(missing, isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None), "no such total");
        await ChangeAsync(missing, isAdded: false);
        var present = QuotaRule(limit: 1);
        present.RuleFlags = 1;
        await ChangeAsync(present, isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.QuotaExceeded), "counted once");
        await ChangeAsync(present, isAdded: false);
        await ChangeAsync(QuotaRule(limit: 0), isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.QuotaExceeded), "0 is not below 0");
    }

    [Test]
    public async Task Rules_InGreatNumber_AreAddedOnceAndAllFound()
    {
        const int Rules = 2000;
        await MakeTotalAsync("10");
        for (int i = 0; i < Rules; i++)
            await ChangeAsync(QuotaRule(limit: 1000 + (ulong)i), isAdded: true);
        await RemountAsync();
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.None));
        var winner = QuotaRule(limit: 5);
        winner.Prio = 200;
        await ChangeAsync(winner, isAdded: true);
        Assert.That(await CreatesAsync(FileMode.Regular), Is.EqualTo(FsError.QuotaExceeded));
        for (int i = 0; i < Rules; i++)
        {
            var rule = QuotaRule(limit: 1000 + (ulong)i);
            Assert.That(await Fs.ChangeQuotaRuleAsync(rule, true, None), Is.EqualTo(FsError.Exists));
            await ChangeAsync(rule, isAdded: false);
        }
    }

    // Engine §14 no. 8, 9: rules are changed, used and committed at the same time.
    [Test]
    public async Task Rules_ChangedWhileFilesAreMade_LeaveNothingBehind()
    {
        await MakeTotalAsync("10");
        var rule = QuotaRule(limit: 10);
        await ForEachAsync(4, async i =>
        {
            for (int round = 0; round < 100; round++)
            {
                switch (i)
                {
                    case 0:
                        await ChangeAsync(rule, isAdded: round % 2 == 0);
                        break;
                    case 1:
                        var other = QuotaRule(limit: 1000 + (ulong)(round % 10));
                        _ = await Fs.ChangeQuotaRuleAsync(other, round % 20 < 10, None);
                        break;
                    case 2:
                        var (error, _, _) = await TryCreateAsync($"race{round}");
                        Assert.That(error, Is.AnyOf(FsError.None, FsError.QuotaExceeded));
                        break;
                    default:
                        await SyncAsync();
                        break;
                }
            }
        });
        for (ulong i = 0; i < 10; i++)
        {
            Assert.That(
                await Fs.ChangeQuotaRuleAsync(QuotaRule(limit: 1000 + i), false, None), Is.EqualTo(FsError.NotFound));
        }

        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, false, None), Is.EqualTo(FsError.NotFound));
        await CreateAsync("last");
    }

    private static void Select(ref QuotaRuleItem rule, int name, byte source, ulong value)
    {
        Assert.That(source, Is.Not.EqualTo(Literal));
        rule.NameSource[name] = source;
        rule.NameVal[name] = value;
        rule.NameFlags[name] = 1;
    }

    private async Task ChangeAsync(QuotaRuleItem rule, bool isAdded) =>
        Assert.That(await Fs.ChangeQuotaRuleAsync(rule, isAdded, None), Is.EqualTo(FsError.None));

    private async Task<FsError> CreatesAsync(uint type, ulong directory = Root, uint uid = 0, uint gid = 0) =>
        (await TryCreateAsync($"n{_names++}", directory, type | 0x1a4, uid, gid)).Error;
}
