using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>One entry of a listing.</summary>
/// <param name="Pos">Its position; the listing goes on at the next one.</param>
/// <param name="Ino">Target.</param>
/// <param name="Type">Type of the target.</param>
/// <param name="Name">Name.</param>
public readonly record struct ListedEntry(ulong Pos, ulong Ino, DirentType Type, byte[] Name);

/// <summary>Lists a batch of a directory's entries in order of their positions (engine §7.3).</summary>
/// <param name="directory">Directory.</param>
/// <param name="fromPos">First position; 0 and 1 are the caller's "." and "..".</param>
/// <param name="entries">Receives up to <paramref name="limit"/> entries.</param>
/// <param name="limit">Entries at most.</param>
public struct ListOperation(ulong directory, ulong fromPos, List<ListedEntry> entries, int limit) : IOperation
{
    /// <summary>None, NotFound, NotDirectory or Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>True when nothing follows.</summary>
    public bool IsEnd { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        if (!InodeAccess.Load(context, directory, LockMode.Read, out var parent, out var error))
            return false;
        if (error == FsError.None && !InodeAccess.IsDirectory(parent.Item))
            error = FsError.NotDirectory;
        Error = error;
        if (error != FsError.None)
            return true;

        // What an earlier attempt listed stays: its last position says where to go on.
        ulong pos = entries.Count > 0 ? entries[^1].Pos + 1 : Math.Max(fromPos, 2);
        var last = Keys.Readdir(directory, ulong.MaxValue);
        var from = Keys.Readdir(directory, pos);
        while (entries.Count < limit)
        {
            if (!context.Next(parent.Lock, from, last, out bool isFound, out var key, out var value))
                return false;
            if (!isFound)
            {
                IsEnd = true;
                return true;
            }

            if (value.Length <= Disk.SizeOf<DirentHeader>())
            {
                Error = FsError.Corrupt;
                return true;
            }

            ref readonly var header = ref Disk.Ref<DirentHeader>(value);
            entries.Add(new ListedEntry(
                key.Second, header.Ino, (DirentType)header.Type, value[Disk.SizeOf<DirentHeader>()..].ToArray()));
            from = key.Next();
        }

        return true;
    }
}
