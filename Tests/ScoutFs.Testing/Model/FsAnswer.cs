using System;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>What a real file system answered to an operation; only what the operation asks for is set.</summary>
public sealed record FsAnswer
{
    /// <summary>Outcome.</summary>
    public required FsError Error { get; init; }

    /// <summary>Bytes read, the value of an attribute, or the target of a symlink.</summary>
    public byte[]? Bytes { get; init; }

    /// <summary>Names in a directory in order of the listing, or of extended attributes in any order.</summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>Bytes written, where fewer than asked for.</summary>
    public int? Written { get; init; }

    /// <summary>It cannot do that at all: the operation is left out.</summary>
    public bool IsUnsupported { get; init; }

    /// <summary>Offset found by a seek.</summary>
    public ulong? Offset { get; init; }

    /// <summary>
    /// Attributes; contents, entries and extended attributes in it do not count. After an allocation that failed, what
    /// is left of it.
    /// </summary>
    public ModelInode? Inode { get; init; }

    /// <summary>The id that a name leads to; the number of an inode that no operation made.</summary>
    public ulong? Id { get; init; }

    /// <summary>The part of an operation that was done, where the environment ended it early.</summary>
    /// <returns>A shorter operation; null when all of it or nothing was done.</returns>
    public FsOp? PartOf(FsOp op) => op switch
    {
        WriteOp write when Error == FsError.None && Written < write.Length => write with { Length = Written.Value },
        AllocateOp { KeepsSize: false } allocate when Error != FsError.None && Inode?.Size > allocate.Offset =>
            allocate with { Length = Math.Min(allocate.Length, Inode.Size - allocate.Offset) },
        _ => null,
    };
}

/// <summary>What the model allows as an answer.</summary>
public sealed record ModelAnswer
{
    /// <summary>Allowed outcomes.</summary>
    public FaultSet Faults { get; init; }

    /// <summary>Errors that are as right as success.</summary>
    public FaultSet MayFail { get; init; }

    /// <summary>As in <see cref="FsAnswer.Bytes"/>, null where it does not matter.</summary>
    public byte[]? Bytes { get; init; }

    /// <summary>As in <see cref="FsAnswer.Names"/>.</summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>Names come in any order.</summary>
    public bool IsAnyOrder { get; init; }

    /// <summary>Least and greatest offset that a seek may find; what lies between reads as zeros.</summary>
    public (ulong Least, ulong Greatest)? Offset { get; init; }

    /// <summary>As in <see cref="FsAnswer.Inode"/>.</summary>
    public ModelInode? Inode { get; init; }

    /// <summary>As in <see cref="FsAnswer.Id"/>.</summary>
    public ulong? Id { get; init; }

    /// <summary>Compares with a real answer.</summary>
    /// <returns>What is different, or null.</returns>
    public string? DifferenceTo(FsAnswer actual)
    {
        if (actual.Error != FsError.None && MayFail.Allows(actual.Error))
            return null;
        if (!Faults.Allows(actual.Error))
            return $"expected {Faults}, got {(actual.Error == FsError.None ? "success" : actual.Error)}";
        if (actual.Error != FsError.None)
            return null;
        if (Id is { } id && actual.Id is { } actualId && id != actualId)
            return $"expected id {id}, got {actualId}";
        if (Bytes is not null && actual.Bytes is not null && DifferenceOf(Bytes, actual.Bytes) is { } bytes)
            return bytes;
        if (Names is not null && actual.Names is not null && DifferenceOf(Names, actual.Names) is { } names)
            return names;
        if (Offset is { } range && actual.Offset is { } offset && (offset < range.Least || offset > range.Greatest))
            return $"expected an offset in {range.Least}..{range.Greatest}, got {offset}";
        return Inode is not null && actual.Inode is not null
            ? ModelComparison.AttributesDifference(Inode, actual.Inode, ModelComparisonOptions.Exact)
            : null;
    }

    private static string? DifferenceOf(byte[] expected, byte[] actual)
    {
        int common = expected.AsSpan().CommonPrefixLength(actual);
        if (common == expected.Length && common == actual.Length)
            return null;
        return common < expected.Length && common < actual.Length
            ? $"byte {common} of {expected.Length}: expected {expected[common]:x2}, got {actual[common]:x2}"
            : $"expected {expected.Length} bytes, got {actual.Length}";
    }

    private string? DifferenceOf(IReadOnlyList<string> expected, IReadOnlyList<string> actual)
    {
        if (IsAnyOrder)
        {
            expected = [.. expected.Order(StringComparer.Ordinal)];
            actual = [.. actual.Order(StringComparer.Ordinal)];
        }

        for (int i = 0; i < expected.Count && i < actual.Count; i++)
        {
            if (expected[i] != actual[i])
                return $"name {i}: expected '{ModelText.Of(expected[i])}', got '{ModelText.Of(actual[i])}'";
        }

        return expected.Count == actual.Count ? null : $"expected {expected.Count} names, got {actual.Count}";
    }
}
