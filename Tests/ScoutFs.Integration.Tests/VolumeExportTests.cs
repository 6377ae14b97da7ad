using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cli;
using ScoutFs.Testing;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Integration.Tests;

/// <summary>Copies of volumes against the manifests that Linux made of them, and copies of hostile ones.</summary>
[TestFixture]
internal sealed class VolumeExportTests
{
    private const string Basic = "g1-basic";
    private const string Archive = "g4-archive";

    private readonly VolumeCommandLine _cli = new();
    private int _copies;

    [OneTimeSetUp]
    public async Task UnpackAsync()
    {
        await _cli.UnpackAsync(Basic);
        await _cli.UnpackAsync(Archive);
    }

    [OneTimeTearDown]
    public void Remove() => _cli.Dispose();

    [TestCase(Basic)]
    [TestCase(Archive)]
    [Platform("Linux")]
    public async Task Export_GoldenVolume_EqualsTheManifest(string golden)
    {
        string copy = NextCopy();
        var result = await _cli.RunOnAsync(golden, "export", "--offline-as-holes", copy);

        Assert.That(result.Error, Does.Not.Contain("(Parameter").And.Not.Contain("No space left"));

        // Many file systems cannot hold files that large.
        string[] tooLarge = [.. Entries(golden).Where(entry => (decimal)entry["size"]! > 1L << 43).Select(PathOf)];
        int countLeftOut = result.Error.Split('\n').Count(
            line => line.Contains("left out", StringComparison.Ordinal));
        Assert.That(countLeftOut, Is.Zero.Or.EqualTo(tooLarge.Length), result.Error);
        var inodes = new Dictionary<long, string>();
        using (Assert.EnterMultipleScope())
        {
            foreach (var entry in Entries(golden))
            {
                if (result.ExitCode == 0 || !tooLarge.Contains(PathOf(entry)))
                    AssertCopied(copy, entry, inodes);
            }
        }
    }

    [Test]
    public async Task Export_PortableTarget_CopiesTheSameContents()
    {
        string copy = NextCopy();
        await using var session = await OpenAsync(Archive);
        using var target = new ExportTargetPortable(copy);
        var summary = await CopyAsync(session, target, offlineAsHoles: true, CancellationToken.None);
        var files = Entries(Archive).Where(entry => entry["sha256"] is not null).ToList();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(summary.CountSkipped, Is.LessThanOrEqualTo(1), "/more/huge may be too large for here");
            Assert.That(files, Has.Count.GreaterThan(50));
            foreach (var file in files)
            {
                byte[] bytes = await File.ReadAllBytesAsync(copy + PathOf(file));
                Assert.That(Convert.ToHexStringLower(SHA256.HashData(bytes)), Is.EqualTo((string)file["sha256"]!));
            }
        }
    }

    [Test]
    public async Task Export_OfflineFiles_AreLeftOutAndFail()
    {
        string copy = NextCopy();
        var result = await _cli.RunOnAsync(Archive, "export", "/more", copy);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.Contain("/more/huge").And.Contain("--offline-as-holes"));
            Assert.That(File.Exists(Path.Combine(copy, "huge")), Is.False);
        }
    }

    [Test]
    public async Task Export_OneFile_IsCopiedToTheNameGiven()
    {
        string copy = NextCopy();
        var result = await _cli.RunOnAsync(Basic, "export", "--json", "/d/size-7", copy);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.Zero, result.Error);
            Assert.That(new FileInfo(copy).Length, Is.EqualTo(7));
            Assert.That((long)JsonNode.Parse(result.Text)!["paths"]!, Is.EqualTo(1));
        }
    }

    [TestCase("/d/size-7", false)]
    [TestCase("/d", false)]
    [TestCase("/d", true)]
    public async Task Export_DestinationExists_IsRefusedAndLeftAlone(string path, bool isDirectory)
    {
        string copy = NextCopy();
        string kept = isDirectory ? Path.Combine(Directory.CreateDirectory(copy).FullName, "kept") : copy;
        await File.WriteAllTextAsync(kept, "mine");
        var result = await _cli.RunOnAsync(Basic, "export", path, copy);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.Contain("exists already")
                .And.EndsWith("scoutfs: export failed: File exists (17)\n"));
            Assert.That(await File.ReadAllTextAsync(kept), Is.EqualTo("mine"));
        }
    }

    [TestCase("missing/copy", "No such file or directory (2)")]
    [TestCase("file/copy", "Not a directory (20)")]
    [Platform("Linux")]
    public async Task Export_NoDirectoryForTheCopy_FailsWithThatErrno(string name, string errno)
    {
        string place = Directory.CreateDirectory(NextCopy()).FullName;
        await File.WriteAllTextAsync(Path.Combine(place, "file"), "mine");
        var result = await _cli.RunOnAsync(Basic, "export", "/d", Path.Combine(place, name));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.EndWith($"scoutfs: export failed: {errno}\n"));
        }
    }

    [Test]
    public async Task Pack_FileExists_FailsWithThatErrnoAndLeavesItAlone()
    {
        string file = NextCopy();
        await File.WriteAllTextAsync(file, "mine");
        var result = await _cli.RunOnAsync(Basic, "pack", file);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.EndWith("scoutfs: pack failed: File exists (17)\n"));
            Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("mine"));
        }
    }

    [TestCase(28, FsError.NoSpace)]
    [TestCase(30, FsError.ReadOnly)]
    [TestCase(5, FsError.Io)]
    [TestCase(unchecked((int)0x80070050), FsError.Exists)]
    [TestCase(unchecked((int)0x80070070), FsError.NoSpace)]
    [TestCase(unchecked((int)0x8007010b), FsError.NotDirectory)]
    [TestCase(unchecked((int)0x80131620), FsError.Io)]
    public void ErrorOf_ErrnoOrErrorOfWindows_IsTheCodeOfThatMeaning(int result, FsError expected) =>
        Assert.That(CliErrors.ErrorOf(new IOException("x", result)), Is.EqualTo(expected));

    [Test]
    [Platform("Linux")]
    public async Task Export_HostileNames_NeverLeaveTheCopy()
    {
        // The same name once leads out of the copy and once is a directory with a file; and names with slashes.
        string outside = Directory.CreateDirectory(NextCopy()).FullName;
        var items = new ItemVolume().AddDirectory(1);
        items.AddSymlink(10, outside).Link(1, 2, "a", 10, DirentType.Symlink);
        items.AddDirectory(11).Link(1, 3, "a", 11, DirentType.Directory);
        items.AddFile(12).Link(11, 2, "planted", 12);
        items.AddFile(13).Link(1, 4, "../" + Path.GetFileName(outside) + "/planted", 13);
        items.AddFile(14).Link(1, 5, "good", 14);
        string copy = NextCopy();
        await using var session = await OpenAsync(items);
        using var target = new ExportTargetLinux(copy);
        var summary = await CopyAsync(session, target, offlineAsHoles: false, CancellationToken.None);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Directory.EnumerateFileSystemEntries(outside), Is.Empty);
            Assert.That(Directory.EnumerateFileSystemEntries(copy).Select(Path.GetFileName),
                Is.EquivalentTo(new[] { "a", "good" }));
            Assert.That(summary.CountSkipped, Is.EqualTo(3));
            Assert.That(session.ExitCode, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Export_Interrupted_RemovesTheFileInWork()
    {
        const ulong Blocks = 2000;
        var items = new ItemVolume().AddDirectory(1);
        items.AddFile(10, 4096).AddExtent(10, 0, 1, 64).Link(1, 2, "first", 10);
        items.AddFile(11, Blocks * 4096).AddExtent(11, 0, Blocks, 100).Link(1, 3, "large", 11);
        string copy = NextCopy();
        await using var session = await OpenAsync(items);
        using var interrupt = new CancellationTokenSource();
        using var target = new InterruptingTarget(ExportTarget.Open(copy), interrupt, writesBefore: 3);
        Assert.That(
            () => CopyAsync(session, target, offlineAsHoles: false, interrupt.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(
            Directory.EnumerateFileSystemEntries(copy).Select(Path.GetFileName), Is.EqualTo(new[] { "first" }));
    }

    [TestCase("plain.txt", "plain.txt")]
    [TestCase("a:b*c?", "a\uf03ab\uf02ac\uf03f")]
    [TestCase("dot.", "dot\uf02e")]
    [TestCase("space ", "space\uf020")]
    [TestCase(". .x", ". .x")]
    [TestCase("tab\t", "tab\uf009")]
    public void ToWindows_ForbiddenCharacters_AreMapped(string name, string expected) =>
        Assert.That(ExportNames.ToWindows(Encoding.UTF8.GetBytes(name)), Is.EqualTo(expected));

    [Test]
    public void ToWindows_NamesOfTheMapItself_StayDifferent()
    {
        string mapped = ExportNames.ToWindows("a:"u8);
        string real = ExportNames.ToWindows("a\uf03a"u8);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(mapped, Is.Not.EqualTo(real));
            Assert.That(ExportNames.TargetToWindows("../a:/b"u8), Is.EqualTo("..\\a\uf03a\\b"));
            Assert.That(ExportNames.TargetToWindows("/abs"u8), Is.Null);
        }
    }

    private static IEnumerable<JsonObject> Entries(string golden) =>
        GoldenVolume.Manifest(golden).Select(line => JsonNode.Parse(line)!.AsObject());

    private static string PathOf(JsonObject entry) =>
        VolumeCommandLine.RawText(entry["path"]).Contains("\\udc", StringComparison.Ordinal)
            ? string.Empty
            : (string)entry["path"]!;

    private static async Task<VolumeSession> OpenAsync(ItemVolume items)
    {
        var volume = await items.OpenAsync();
        return new VolumeSession(NewConsole(), items.Meta, items.Data, volume);
    }

    private static CliConsole NewConsole() => VolumeCommandLine.NewConsole(Stream.Null, TextWriter.Null);

    private static async Task<ExportSummary> CopyAsync(
        VolumeSession session, ExportTarget target, bool offlineAsHoles, CancellationToken cancellationToken)
    {
        var top = await session.Resolver.ResolveAsync(default, followsLast: false, CancellationToken.None);
        return await CliProgress.RunAsync(NewConsole(), isShown: false, async progress =>
        {
            var copier = new ExportCopier(session, target, progress, 0, offlineAsHoles);
            await copier.CopyAsync(top, cancellationToken);
            return copier.Summary;
        });
    }

    // Names that .NET has no string for are looked at through the C library's open.
    private static void AssertCopied(string copy, JsonObject entry, Dictionary<long, string> inodes)
    {
        string shown = VolumeCommandLine.RawText(entry["path"]);
        string type = (string)entry["type"]!;
        if (type is "chr" or "blk" && !Environment.IsPrivilegedProcess)
            return;
        byte[] path = [.. Encoding.UTF8.GetBytes(copy), .. PathBytes(shown), 0];
        int fd = Native.Open(path, Native.PathOnly | Native.NoFollow, 0);
        Assert.That(fd, Is.GreaterThanOrEqualTo(0), shown);
        if (fd < 0)
            return;
        using var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(fd, ownsHandle: true);
        string node = $"/proc/self/fd/{fd}";
        if (type == "lnk")
        {
            byte[] target = new byte[4096];
            nint length = Native.ReadLinkAt(fd, [0], target, target.Length);
            byte[] expected = PathBytes(VolumeCommandLine.RawText(entry["target"]));
            Assert.That(target.AsSpan(0, (int)length).SequenceEqual(expected), Is.True, shown);
            return;
        }

        int mode = Convert.ToInt32(((string)entry["mode"]!)[2..], 8);
        if (OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess)
            Assert.That((int)File.GetUnixFileMode(node), Is.EqualTo(mode), shown);
        Assert.That(Native.Stat(path, out var status), Is.Zero, shown);
        decimal mtime = (status.MtimeSeconds * 1_000_000_000m) + status.MtimeNanoseconds;

        // ext4 knows no later times than the year 2446, and no earlier ones than 1901.
        decimal wanted = decimal.Parse((string)entry["mtime"]!, CultureInfo.InvariantCulture);
        if (Math.Abs(wanted) < 1e18m * 2)
            Assert.That(mtime, Is.EqualTo(wanted), shown);
        if (type != "reg")
            return;
        Assert.That(status.SizeBytes, Is.EqualTo((long)entry["size"]!), shown);
        if (entry["sha256"] is { } hash)
        {
            using var contents = File.OpenRead(node);
            Assert.That(Convert.ToHexStringLower(SHA256.HashData(contents)), Is.EqualTo((string)hash!), shown);
        }

        // Other names of one inode lead to one file of the copy.
        string inode = $"{status.Device}:{status.Inode}";
        if (!inodes.TryAdd((long)entry["ino"]!, inode))
            Assert.That(inode, Is.EqualTo(inodes[(long)entry["ino"]!]), shown);
    }

    // A string of JSON as bytes: its characters, lone surrogates among them, then what NameText makes of them.
    private static byte[] PathBytes(string json)
    {
        var text = new StringBuilder();
        for (int i = 1; i < json.Length - 1; i++)
        {
            if (json[i] != '\\')
            {
                _ = text.Append(json[i]);
                continue;
            }

            bool isNumber = json[i + 1] == 'u';
            _ = text.Append(isNumber
                ? (char)Convert.ToUInt16(json[(i + 2)..(i + 6)], 16)
                : "\b\f\n\r\t\"\\"["bfnrt\"\\".IndexOf(json[i + 1], StringComparison.Ordinal)]);
            i += isNumber ? 5 : 1;
        }

        Assert.That(NameText.TryEncode(text.ToString(), out byte[] bytes), Is.True, json);
        return bytes;
    }

    private Task<VolumeSession> OpenAsync(string golden) =>
        VolumeSession.OpenAsync(NewConsole(), _cli.Meta(golden), _cli.Data(golden), CancellationToken.None);

    private string NextCopy() => _cli.PathOf($"copy-{++_copies}");

    /// <summary>Interrupts after some writes.</summary>
    private sealed class InterruptingTarget(ExportTarget inner, CancellationTokenSource interrupt, int writesBefore)
        : ExportTarget
    {
        private int _writes;

        public override string Destination => inner.Destination;

        public override void EnterDirectory(ReadOnlySpan<byte> name, bool isTop) => inner.EnterDirectory(name, isTop);

        public override void TakeDirectory() => inner.TakeDirectory();

        public override void LeaveDirectory() => inner.LeaveDirectory();

        public override void CreateFile(ReadOnlySpan<byte> name, ulong sizeBytes) => inner.CreateFile(name, sizeBytes);

        public override void Write(ReadOnlySpan<byte> bytes, ulong offsetBytes)
        {
            inner.Write(bytes, offsetBytes);
            if (++_writes == writesBefore)
                interrupt.Cancel();
        }

        public override void CreateSymlink(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, bool isToDirectory) =>
            inner.CreateSymlink(name, target, isToDirectory);

        public override bool TryCreateSpecial(ReadOnlySpan<byte> name, in InodeItem inode) =>
            inner.TryCreateSpecial(name, inode);

        public override bool TryLink(ReadOnlySpan<byte> firstPath, ReadOnlySpan<byte> name) =>
            inner.TryLink(firstPath, name);

        public override string? SetOwner(in InodeItem inode) => inner.SetOwner(inode);

        public override string? TrySetXattr(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
            inner.TrySetXattr(name, value);

        public override string? SetAttributes(in InodeItem inode) => inner.SetAttributes(inode);

        public override void CloseNode() => inner.CloseNode();

        public override void AbandonNode() => inner.AbandonNode();

        protected override void Dispose(bool isDisposing) => inner.Dispose();
    }

    /// <summary>Calls of the C library, Linux only.</summary>
    private static class Native
    {
        public const int PathOnly = 0x200000;

        public static int NoFollow { get; } =
            RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

        [DllImport("libc", EntryPoint = "open", SetLastError = true)]
        public static extern int Open(byte[] path, int flags, int mode);

        [DllImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
        public static extern nint ReadLinkAt(int directory, byte[] path, byte[] target, nint length);

        [DllImport("libc", EntryPoint = "lstat", SetLastError = true)]
        public static extern int Stat(byte[] path, out Status status);

        /// <summary>What 64 bit x86 and ARM have at the same places of their struct stat.</summary>
        [StructLayout(LayoutKind.Explicit, Size = 256)]
        public struct Status
        {
            [FieldOffset(0)]
            public ulong Device;

            [FieldOffset(8)]
            public ulong Inode;

            [FieldOffset(48)]
            public long SizeBytes;

            [FieldOffset(88)]
            public long MtimeSeconds;

            [FieldOffset(96)]
            public long MtimeNanoseconds;
        }
    }
}
