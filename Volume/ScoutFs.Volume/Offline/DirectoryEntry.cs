using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>One entry of a directory as stored (format §10.2).</summary>
/// <param name="Pos">Position in the directory, unique and never reused.</param>
/// <param name="Ino">Inode the name leads to.</param>
/// <param name="Type">Kind of that inode according to the entry.</param>
/// <param name="Name">1..255 bytes of no particular encoding.</param>
public readonly record struct DirectoryEntry(ulong Pos, ulong Ino, DirentType Type, byte[] Name)
{
    /// <summary>
    /// False for names that no system call can create ("." and "..", or with a slash or NUL inside). A damaged or
    /// hostile volume may hold such; they must never become part of a path.
    /// </summary>
    public bool IsUsableName => IsUsable(Name);

    /// <summary>See <see cref="IsUsableName"/>.</summary>
    public static bool IsUsable(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= FormatConstants.MaxNameBytes
        && name.IndexOfAny((byte)'/', (byte)0) < 0
        && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8);
}

/// <summary>One link to an inode, read from the inode's side (format §10.2).</summary>
/// <param name="Dir">Directory that holds the entry.</param>
/// <param name="Pos">Position of the entry there.</param>
/// <param name="Name">Name of the entry.</param>
public readonly record struct LinkBackref(ulong Dir, ulong Pos, byte[] Name);
