using System;
using System.Collections.Generic;
using System.Linq;

namespace ScoutFs.Testing.Model;

/// <summary>What counts as a difference.</summary>
public sealed record ModelComparisonOptions
{
    /// <summary>Everything but atime, which reads may change.</summary>
    public static ModelComparisonOptions Exact { get; } = new();

    /// <summary>Times count.</summary>
    public bool ComparesTimes { get; init; } = true;

    /// <summary>Atime counts, too.</summary>
    public bool ComparesAtime { get; init; }

    /// <summary>
    /// States after the expected one, up to the crash. Contents are overwritten in place, outside of transactions: each
    /// piece of 512 bytes of a block that was written may hold what any of these states holds there.
    /// </summary>
    public IReadOnlyList<ModelState> Later { get; init; } = [];
}

/// <summary>Compares two states of a file system, each with ids of its own, and names the first difference.</summary>
/// <remarks>
/// The ids are matched on the way down from the root, so that hard links must lead to the same inodes on both sides.
/// Inodes without a name do not count.
/// </remarks>
public sealed class ModelComparison
{
    private const int SectorBytes = 512;
    private const ulong BlockBytes = 4096;
    private const int StepsOfInode = 4;

    private readonly ModelState _expected;
    private readonly ModelState _actual;
    private readonly ModelComparisonOptions _options;
    private readonly Dictionary<ulong, ulong> _actualOf = [];
    private readonly Dictionary<ulong, ulong> _expectedOf = [];
    private readonly Stack<(ulong Expected, ulong Actual, string Path)> _open = new();

    private ModelComparison(ModelState expected, ModelState actual, ModelComparisonOptions options)
    {
        _expected = expected;
        _actual = actual;
        _options = options;
    }

    /// <summary>How far it came before the first difference: tells which of several states is the nearest.</summary>
    public int Progress { get; private set; }

    /// <summary>What is different first, or null.</summary>
    public string? Difference { get; private set; }

    /// <summary>Compares two states.</summary>
    /// <param name="expected">The model.</param>
    /// <param name="actual">What was found.</param>
    /// <param name="options">What counts.</param>
    public static ModelComparison Compare(ModelState expected, ModelState actual, ModelComparisonOptions options)
    {
        var comparison = new ModelComparison(expected, actual, options);
        comparison.Difference = comparison.Walk();
        return comparison;
    }

    /// <summary>Compares attributes alone.</summary>
    /// <returns>What is different, or null.</returns>
    public static string? AttributesDifference(
        ModelInode expected, ModelInode actual, ModelComparisonOptions options)
    {
        if (expected.Mode != actual.Mode)
            return $"mode: expected {Octal(expected.Mode)}, got {Octal(actual.Mode)}";
        if (expected.Nlink != actual.Nlink)
            return $"nlink: expected {expected.Nlink}, got {actual.Nlink}";
        if ((expected.Uid, expected.Gid) != (actual.Uid, actual.Gid))
            return $"owner: expected {expected.Uid}:{expected.Gid}, got {actual.Uid}:{actual.Gid}";
        if (expected.Rdev != actual.Rdev)
            return $"rdev: expected {expected.Rdev}, got {actual.Rdev}";
        if (expected.Size != actual.Size)
            return $"size: expected {expected.Size}, got {actual.Size}";
        if (expected.Project != actual.Project)
            return $"project: expected {expected.Project}, got {actual.Project}";
        return options.ComparesTimes ? TimesDifference(expected, actual, options) : null;
    }

    private static string? TimesDifference(ModelInode expected, ModelInode actual, ModelComparisonOptions options)
    {
        if (expected.Mtime != actual.Mtime)
            return $"mtime: expected {expected.Mtime}, got {actual.Mtime}";
        if (expected.Ctime != actual.Ctime)
            return $"ctime: expected {expected.Ctime}, got {actual.Ctime}";
        if (expected.Crtime != actual.Crtime)
            return $"crtime: expected {expected.Crtime}, got {actual.Crtime}";
        return options.ComparesAtime && expected.Atime != actual.Atime
            ? $"atime: expected {expected.Atime}, got {actual.Atime}"
            : null;
    }

    private static string Octal(uint mode) => Convert.ToString(mode, 8);

    private string? Walk()
    {
        if (_actual.Find(ModelState.RootId) is null)
            return "/: there is no root";
        _open.Push((ModelState.RootId, ModelState.RootId, string.Empty));
        while (_open.TryPop(out var next))
        {
            bool isSeen = _actualOf.TryGetValue(next.Expected, out ulong paired);
            if ((isSeen && paired != next.Actual)
                || (_expectedOf.TryGetValue(next.Actual, out ulong back) && back != next.Expected))
            {
                return $"{NameOf(next.Path)}: it is a hard link of something else than expected";
            }

            if (isSeen)
                continue;
            _actualOf.Add(next.Expected, next.Actual);
            _expectedOf.Add(next.Actual, next.Expected);
            var expected = _expected.Find(next.Expected)!;
            if (InodeDifference(expected, _actual.Find(next.Actual)!, next.Path) is { } difference)
                return $"{NameOf(next.Path)}: {difference}";
            Progress += StepsOfInode - (Progress % StepsOfInode);
        }

        return null;
    }

    private static string NameOf(string path) => path.Length == 0 ? "/" : ModelText.Of(path);

    private string? InodeDifference(ModelInode expected, ModelInode actual, string path)
    {
        // The names first: they say best what is missing.
        if (expected.IsDirectory && actual.IsDirectory && EntriesDifference(expected, actual, path) is { } entries)
            return entries;
        Progress++;
        if (AttributesDifference(expected, actual, _options) is { } attributes)
            return attributes;
        Progress++;
        if (expected.Target != actual.Target)
            return $"target: expected '{ModelText.Of(expected.Target)}', got '{ModelText.Of(actual.Target)}'";
        if (XattrsDifference(expected, actual) is { } xattrs)
            return xattrs;
        Progress++;
        return ContentsDifference(expected, actual);
    }

    private string? EntriesDifference(ModelInode expected, ModelInode actual, string path)
    {
        var missing = expected.Entries.Keys.Where(name => !actual.Entries.ContainsKey(name));
        var surplus = actual.Entries.Keys.Where(name => !expected.Entries.ContainsKey(name));
        if (missing.Min(StringComparer.Ordinal) is { } least)
            return $"'{ModelText.Of(least)}' is missing";
        if (surplus.Min(StringComparer.Ordinal) is { } extra)
            return $"'{ModelText.Of(extra)}' should not be there";
        var names = expected.Entries.OrderBy(static pair => pair.Value.Position).Select(static pair => pair.Key);
        var found = actual.Entries.OrderBy(static pair => pair.Value.Position).Select(static pair => pair.Key);
        foreach (var (name, other) in names.Zip(found))
        {
            if (name != other)
                return $"listed out of order: expected '{ModelText.Of(name)}', got '{ModelText.Of(other)}'";
            _open.Push((expected.Entries[name].Id, actual.Entries[name].Id, $"{path}/{name}"));
        }

        return null;
    }

    private static string? XattrsDifference(ModelInode expected, ModelInode actual)
    {
        foreach (var (name, value) in expected.Xattrs)
        {
            if (!actual.Xattrs.TryGetValue(name, out byte[]? other))
                return $"xattr '{ModelText.Of(name)}' is missing";
            if (!value.AsSpan().SequenceEqual(other))
                return $"xattr '{ModelText.Of(name)}' has another value ({value.Length} bytes, {other.Length} found)";
        }

        return actual.Xattrs.Keys.FirstOrDefault(name => !expected.Xattrs.ContainsKey(name)) is { } surplus
            ? $"xattr '{ModelText.Of(surplus)}' should not be there"
            : null;
    }

    private string? ContentsDifference(ModelInode expected, ModelInode actual)
    {
        foreach (var (number, block) in expected.Blocks)
        {
            if (!actual.Blocks.TryGetValue(number, out var other))
                return $"block {number} is missing";
            if (block.IsOffline != other.IsOffline)
                return $"block {number} is {(other.IsOffline ? "offline" : "online")}";
            if (!block.IsOffline && !IsAllowed(expected, number, block.Bytes, other.Bytes))
            {
                int at = block.Bytes.AsSpan().CommonPrefixLength(other.Bytes);
                return $"block {number} has other contents from byte {at} on";
            }
        }

        ulong end = (expected.Size + BlockBytes - 1) / BlockBytes;
        foreach (ulong number in actual.Blocks.Keys)
        {
            bool isRest = actual.IsTruncating && number >= end;
            if (!expected.Blocks.ContainsKey(number) && !isRest)
                return $"block {number} should be a hole";
        }

        return null;
    }

    private bool IsAllowed(
        ModelInode inode, ulong number, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        if (expected.SequenceEqual(actual))
            return true;

        // What lies past the end of the file was not read, and may be anything in later states.
        int used = (int)Math.Min((ulong)expected.Length, inode.Size - Math.Min(number * BlockBytes, inode.Size));
        for (int at = 0; at < used; at += SectorBytes)
        {
            var sector = actual[at..Math.Min(at + SectorBytes, used)];
            if (!sector.SequenceEqual(expected.Slice(at, sector.Length)) && !IsLater(inode.Id, number, at, sector))
                return false;
        }

        return true;
    }

    private bool IsLater(ulong id, ulong number, int at, ReadOnlySpan<byte> sector)
    {
        foreach (var later in _options.Later)
        {
            if (later.Find(id) is { } inode && inode.Blocks.TryGetValue(number, out var block)
                && sector.SequenceEqual(block.Bytes.AsSpan(at, sector.Length)))
            {
                return true;
            }
        }

        return false;
    }
}
