using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cli;

namespace ScoutFs.Integration.Tests;

/// <summary>Trees of this machine go into volumes and come out the same; single paths are changed.</summary>
[TestFixture]
[Platform("Linux")]
internal sealed class VolumeImportTests
{
    private static readonly string[] Names = ["small", "large", "below"];

    private CliImages _images = null!;

    [SetUp]
    public async Task FormatAsync() => _images = await CliImages.FormattedAsync();

    [TearDown]
    public void Remove() => _images.Dispose();

    [TestCase("/")]
    [TestCase("/inside/of")]
    public async Task Import_TreeOfEverything_ComesOutTheSame(string place)
    {
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        if (place != "/")
            _ = (await RunAsync("mkdir", "-p", "/inside")).Expect(0);
        var import = (await ImportAsync(tree, place, "--json")).Expect(0);
        var summary = JsonNode.Parse(import.Output)!;
        string copy = _images.InDirectory("copy");
        _ = (await RunAsync("export", place, copy)).Expect(0);
        Assert.That(ImportTree.Describe(copy), Is.EqualTo(ImportTree.Describe(tree)));
        using (Assert.EnterMultipleScope())
        {
            Assert.That((long)summary["failed"]!, Is.Zero);
            Assert.That((long)summary["hard_links"]!, Is.EqualTo(4));
            Assert.That((long)summary["bytes"]!, Is.LessThan(8 << 20), "holes are not written");
        }

        await ExpectCleanAsync(_images);
    }

    [Test]
    public async Task Import_SecondRun_FindsEverythingThere()
    {
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        var first = JsonNode.Parse((await ImportAsync(tree, "/", "--json")).Expect(0).Output)!;
        var second = JsonNode.Parse((await ImportAsync(tree, "/", "--json")).Expect(0).Output)!;
        long made = Made(first);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Made(second), Is.Zero);
            Assert.That((long)second["updated"]! + (long)second["replaced"]!, Is.Zero);
            Assert.That((long)second["present"]!, Is.EqualTo(made + (long)first["present"]!));
        }
    }

    [Test]
    public async Task Import_ChangedTree_CompletesAndReplaces()
    {
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        _ = (await ImportAsync(tree, "/in")).Expect(0);
        await File.WriteAllTextAsync(Path.Combine(tree, "size-1"), "longer than before");
        await File.WriteAllTextAsync(Path.Combine(tree, "directory", "new"), "new");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(tree, "size-4096"), UnixFileMode.UserRead);
        _ = (await RunAsync("rm", "/in/directory/below/seven", "/in/sparse")).Expect(0);
        var run = JsonNode.Parse((await ImportAsync(tree, "/in", "--json")).Expect(0).Output)!;
        string copy = _images.InDirectory("copy");
        _ = (await RunAsync("export", "/in", copy)).Expect(0);
        Assert.That(ImportTree.Describe(copy), Is.EqualTo(ImportTree.Describe(tree)));
        using (Assert.EnterMultipleScope())
        {
            Assert.That((long)run["files"]!, Is.EqualTo(3), "changed, new, and the sparse one");
            Assert.That((long)run["replaced"]!, Is.EqualTo(1));
            Assert.That((long)run["hard_links"]!, Is.EqualTo(1));
        }

        await ExpectCleanAsync(_images);
    }

    [Test]
    public async Task Import_Interrupted_UnmountsCleanlyAndIsCompletedByTheNext()
    {
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        using var interrupt = new CancellationTokenSource();
        await using var error = new StringWriter();

        // Every change asks for the time.
        var time = new InterruptingTime(interrupt, callsBefore: 200);
        var console = new CliConsole(Stream.Null, error, false, false, time);
        string[] words = ["volume", "import", tree, _images.Meta, _images.Data, "/"];
        int exitCode = await Program.RunAsync(words, console, interrupt.Token);
        Assert.That(exitCode, Is.EqualTo(Program.ExitInterrupted), error.ToString());
        Assert.That(error.ToString(), Does.Contain("incomplete"));
        var rest = JsonNode.Parse((await ImportAsync(tree, "/", "--json")).Expect(0).Output)!;
        Assert.That(Made(rest), Is.Positive);
        Assert.That((long)rest["present"]!, Is.Positive);
        string copy = _images.InDirectory("copy");
        _ = (await RunAsync("export", "/", copy)).Expect(0);
        Assert.That(ImportTree.Describe(copy), Is.EqualTo(ImportTree.Describe(tree)));
        await ExpectCleanAsync(_images);
    }

    [Test]
    public async Task Import_DryRun_CountsAndChangesNothing()
    {
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        string before = Hash();
        var dry = JsonNode.Parse((await ImportAsync(tree, "/in", "--json", "--dry-run")).Expect(0).Output)!;
        Assert.That(Hash(), Is.EqualTo(before));
        var real = JsonNode.Parse((await ImportAsync(tree, "/in", "--json")).Expect(0).Output)!;
        foreach (string key in (string[])["files", "directories", "symlinks", "hard_links", "others", "bytes"])
            Assert.That((long)dry[key]!, Is.EqualTo((long)real[key]!), key);
    }

    [Test]
    public async Task Import_UnreadableAndConflicting_AreNamedAndTheRestIsCopied()
    {
        string tree = _images.InDirectory("tree");
        _ = Directory.CreateDirectory(Path.Combine(tree, "conflict"));
        await File.WriteAllTextAsync(Path.Combine(tree, "good"), "good");
        using var input = new MemoryStream("x"u8.ToArray());
        _ = (await PutAsync(input, "/conflict")).Expect(0);
        var run = await ImportAsync(tree, "/");
        Assert.That(run.ExitCode, Is.EqualTo(1), run.Output);
        Assert.That(run.Error, Does.Contain("/conflict").And.Contain("left alone"));
        Assert.That((await RunAsync("cat", "/good")).Expect(0).Output, Is.EqualTo("good"));
    }

    [Test]
    public async Task Import_OneFile_GoesToThePathOrIntoTheDirectory()
    {
        string file = _images.InDirectory("file");
        await File.WriteAllTextAsync(file, "content");
        _ = (await RunAsync("mkdir", "/d")).Expect(0);
        _ = (await ImportAsync(file, "/d")).Expect(0);
        _ = (await ImportAsync(file, "/d/other")).Expect(0);
        Assert.That((await RunAsync("cat", "/d/file")).Output, Is.EqualTo("content"));
        Assert.That((await RunAsync("cat", "/d/other")).Output, Is.EqualTo("content"));
    }

    [Test]
    public async Task Import_ParentMissing_FailsAndSaysSo()
    {
        string tree = Directory.CreateDirectory(_images.InDirectory("tree")).FullName;
        (await ImportAsync(tree, "/no/where")).ExpectFailure("import failed: No such file or directory (2)", "/no");
        (await ImportAsync(tree + "-missing", "/")).ExpectFailure(
            "import failed: No such file or directory (2)", "tree-missing");
    }

    [Test]
    public async Task Import_CrashedVolume_IsRefusedUntilTakenOver()
    {
        using var crashed = await CliImages.GoldenAsync("g5-crash");
        string tree = _images.InDirectory("tree");
        ImportTree.Make(tree);
        string[] words = ["volume", "import", tree, crashed.Meta, crashed.Data, "/imported"];
        (await CliRun.RunAsync(words)).ExpectFailure("import failed: Device or resource busy (16)", "--take-over");
        _ = (await CliRun.RunAsync([.. words, "--take-over"])).Expect(0);
        string copy = _images.InDirectory("copy");
        _ = (await CliRun.RunAsync("volume", "export", crashed.Meta, crashed.Data, "/imported", copy)).Expect(0);
        Assert.That(ImportTree.Describe(copy), Is.EqualTo(ImportTree.Describe(tree)));
        await ExpectCleanAsync(crashed);
    }

    [Test]
    public async Task Put_FileAndStandardInput_ReplaceContentsAndKeepTheRest()
    {
        using var first = new MemoryStream("first"u8.ToArray());
        using var second = new MemoryStream(new byte[(2 << 20) + 5]);
        _ = (await PutAsync(first, "/file", "--mode", "640")).Expect(0);
        _ = (await RunAsync("setxattr", "/file", "user.kept", "0x0102")).Expect(0);
        _ = (await PutAsync(second, "/file")).Expect(0);
        var stat = (await RunAsync("stat", "--json", "/file")).Expect(0);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(stat.Output, Does.Contain("0o640").And.Contain("2097157").And.Contain("user.kept"));
            Assert.That((await RunAsync("ls", "/")).OutputLines, Is.EqualTo(new[] { "file" }));
        }

        await ExpectCleanAsync(_images);
    }

    [Test]
    public async Task Changes_OfSinglePaths_DoWhatTheySay()
    {
        using var input = new MemoryStream("x"u8.ToArray());
        _ = (await RunAsync("mkdir", "-p", "/a/b/c", "/a/b", "/z")).Expect(0);
        _ = (await PutAsync(input, "/a/b/file")).Expect(0);
        (await RunAsync("mkdir", "/a/b")).ExpectFailure("mkdir failed: File exists (17)", "/a/b exists already");
        (await RunAsync("mv", "/a", "/a/b/c")).ExpectFailure("mv failed: Invalid argument (22)", "into itself");
        _ = (await RunAsync("mv", "/a", "/z")).Expect(0);
        (await RunAsync("rm", "/z")).ExpectFailure("rm failed: Is a directory (21)", "-r");
        (await RunAsync("rm", "/none")).ExpectFailure("rm failed: No such file or directory (2)", "/none");
        (await RunAsync("setxattr", "-x", "/z", "user.none")).ExpectFailure(
            "setxattr failed: No data available (61)", "user.none");
        (await RunAsync("setxattr", "/z", "other.name", "v")).ExpectFailure(
            "setxattr failed: Operation not supported (95)", "user., trusted.");
        Assert.That((await RunAsync("cat", "/z/a/b/file")).Output, Is.EqualTo("x"));
        _ = (await RunAsync("rm", "-r", "/z/a")).Expect(0);
        _ = (await RunAsync("rm", "-f", "/z/a")).Expect(0);
        Assert.That((await RunAsync("ls", "/z")).Output, Is.Empty);
        await ExpectCleanAsync(_images);
    }

    [Test]
    public async Task Rm_LargeTree_LeavesAnEmptyVolume()
    {
        string tree = _images.InDirectory("tree");
        for (int i = 0; i < 3; i++)
        {
            string below = Directory.CreateDirectory(Path.Combine(tree, Names[i], "x", "y")).FullName;
            for (int k = 0; k < 400; k++)
                await File.WriteAllTextAsync(Path.Combine(below, $"file-{k}"), new string('x', k * i));
        }

        _ = (await ImportAsync(tree, "/top")).Expect(0);
        _ = (await RunAsync("rm", "-r", "/top")).Expect(0);
        Assert.That((await RunAsync("ls", "/")).Output, Is.Empty);
        await ExpectCleanAsync(_images);
    }

    private static long Made(JsonNode summary) => (long)summary["files"]! + (long)summary["directories"]!
        + (long)summary["symlinks"]! + (long)summary["hard_links"]! + (long)summary["others"]!;

    private static async Task ExpectCleanAsync(CliImages images)
    {
        _ = (await CliRun.RunAsync("check", images.Meta, images.Data)).Expect(0);
        if (CrossCheckSession.FindScript() is not { } script
            || CrossCheckSession.TryStart(script) is not { } session)
        {
            return;
        }

        await using (session)
        {
            var answer = await session.CheckAsync(images.Meta, images.Data);
            Assert.That(answer.Crash, Is.Null);
            Assert.That(answer.Codes!.Where(code => !code.EndsWith("(w)", StringComparison.Ordinal)), Is.Empty,
                string.Join('\n', answer.Lines));
        }
    }

    private Task<CliRun> ImportAsync(string tree, string place, params string[] options) =>
        CliRun.RunAsync(["volume", "import", .. options, tree, _images.Meta, _images.Data, place]);

    // Options come before META.
    private Task<CliRun> RunAsync(string command, params string[] words) =>
        CliRun.RunAsync(
        [
            "volume", command, .. words.TakeWhile(word => word.StartsWith('-')), _images.Meta, _images.Data,
            .. words.SkipWhile(word => word.StartsWith('-')),
        ]);

    private async Task<CliRun> PutAsync(Stream input, string path, params string[] options)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter { NewLine = "\n" };
        var console = new CliConsole(output, error, false, false, TimeProvider.System) { OpenInput = () => input };
        string[] words = ["volume", "put", .. options, _images.Meta, _images.Data, "-", path];
        int exitCode = await Program.RunAsync(words, console, CancellationToken.None);
        return new CliRun(exitCode, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    // Images are files with holes: only what is stored is read.
    private string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string path in new List<string> { _images.Meta, _images.Data })
        {
            var folder = ImportFolder.Open(path, out byte[]? name);
            using var file = folder.OpenFile(name!);
            ulong size = file.Describe().SizeBytes;
            byte[] buffer = new byte[1 << 20];
            for (ulong at = 0; at < size && file.FindData(at, size, out at, out ulong end);)
            {
                while (at < end)
                {
                    int length = file.Read(buffer.AsSpan(0, (int)Math.Min(end - at, (ulong)buffer.Length)), at);
                    hash.AppendData(Encoding.ASCII.GetBytes($"{at}:"));
                    hash.AppendData(buffer.AsSpan(0, length));
                    at += (ulong)length;
                }
            }

            folder.Release();
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>A clock that interrupts when it has been looked at often enough.</summary>
    private sealed class InterruptingTime(CancellationTokenSource interrupt, int callsBefore) : TimeProvider
    {
        private int _calls;

        public override DateTimeOffset GetUtcNow()
        {
            if (Interlocked.Increment(ref _calls) == callsBefore)
                interrupt.Cancel();
            return base.GetUtcNow();
        }
    }
}
