using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>An entry of a directory.</summary>
/// <param name="Ino">Target.</param>
/// <param name="Hash">Hash of the name.</param>
/// <param name="Pos">Position in the directory.</param>
/// <param name="Type">Type of the target.</param>
public readonly record struct EntryRef(ulong Ino, ulong Hash, ulong Pos, DirentType Type);

/// <summary>Entries of directories: three items each (engine §7.1).</summary>
/// <remarks>Called by attempts, with the gate held. A call that returns false ends the attempt with false.</remarks>
public static class Directories
{
    /// <summary>Checks a name that is looked up or made.</summary>
    /// <returns>None; Invalid for an empty name, "." and "..", "/" or NUL in it; NameTooLong.</returns>
    public static FsError CheckName(ReadOnlySpan<byte> name)
    {
        if (name.Length > FormatConstants.MaxNameBytes)
            return FsError.NameTooLong;
        return name.IsEmpty || name.ContainsAny((byte)'/', (byte)0) || name.SequenceEqual("."u8)
            || name.SequenceEqual(".."u8)
            ? FsError.Invalid
            : FsError.None;
    }

    /// <summary>Loads a directory that entries can be looked up or changed in.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="ino">Inode number.</param>
    /// <param name="mode">Read or Write.</param>
    /// <param name="directory">The directory.</param>
    /// <param name="error">None, NotFound, NotDirectory or Corrupt.</param>
    public static bool Load(
        OperationContext context, ulong ino, LockMode mode, out InodeHandle directory, out FsError error)
    {
        if (!InodeAccess.Load(context, ino, mode, out directory, out error))
            return false;
        if (error == FsError.None && !InodeAccess.IsDirectory(directory.Item))
            error = FsError.NotDirectory;
        else if (error == FsError.None && directory.Item.Nlink == 0U)
            error = FsError.NotFound;
        return true;
    }

    /// <summary>Looks a name up.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="directory">A loaded directory.</param>
    /// <param name="name">Name, 1..255 bytes.</param>
    /// <param name="isFound">Whether it exists.</param>
    /// <param name="entry">The entry.</param>
    public static bool FindEntry(
        OperationContext context,
        in InodeHandle directory,
        ReadOnlySpan<byte> name,
        out bool isFound,
        out EntryRef entry)
    {
        entry = default;
        ulong hash = NameHash.Compute(name);
        var from = Keys.Dirent(directory.Ino, hash, 0);
        var last = Keys.Dirent(directory.Ino, hash, ulong.MaxValue);
        while (context.Next(directory.Lock, from, last, out isFound, out var key, out var value))
        {
            if (!isFound)
                return true;
            ref readonly var header = ref Disk.Ref<DirentHeader>(value);
            if (value[Disk.SizeOf<DirentHeader>()..].SequenceEqual(name))
            {
                entry = new EntryRef(header.Ino, hash, header.Pos, (DirentType)header.Type);
                return true;
            }

            from = key.Next();
        }

        return false;
    }

    /// <summary>Makes sure that an entry's other two items are known, so that it can be removed.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="directory">The directory.</param>
    /// <param name="target">The inode it names.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="error">None, or Corrupt when one is missing.</param>
    public static bool PrepareRemoval(
        OperationContext context,
        in InodeHandle directory,
        in InodeHandle target,
        in EntryRef entry,
        out FsError error)
    {
        error = FsError.None;
        if (!context.Find(directory.Lock, Keys.Readdir(directory.Ino, entry.Pos), out bool hasReaddir, out _)
            || !context.Find(
                target.Lock, Keys.LinkBackref(target.Ino, directory.Ino, entry.Pos), out bool hasBackref, out _))
        {
            return false;
        }

        if (!hasReaddir || !hasBackref)
            error = FsError.Corrupt;
        return true;
    }

    /// <summary>Adds an entry; cannot fail. The directory is stored by the caller.</summary>
    public static void AddEntry(
        OperationContext context, ref InodeHandle directory, in InodeHandle target, ReadOnlySpan<byte> name)
    {
        ulong pos = directory.Item.NextReaddirPos;
        directory.Item.NextReaddirPos = pos + 1;
        directory.Item.Size = directory.Item.Size + (ulong)name.Length;
        ulong hash = NameHash.Compute(name);
        Span<byte> value = stackalloc byte[Disk.SizeOf<DirentHeader>() + name.Length];
        Disk.Ref<DirentHeader>(value) = new DirentHeader
        {
            Ino = target.Ino,
            Hash = hash,
            Pos = pos,
            Type = (byte)InodeAccess.TypeOf(target.Item.Mode),
        };
        name.CopyTo(value[Disk.SizeOf<DirentHeader>()..]);
        ulong seq = context.ItemSeq(directory.Lock);
        context.Items.Put(Keys.Dirent(directory.Ino, hash, pos), seq, value);
        context.Items.Put(Keys.Readdir(directory.Ino, pos), seq, value);
        context.Items.Put(
            Keys.LinkBackref(target.Ino, directory.Ino, pos), context.ItemSeq(target.Lock), value);
    }

    /// <summary>Removes an entry that was found and prepared; cannot fail. The directory is stored by the
    /// caller.</summary>
    public static void RemoveEntry(
        OperationContext context,
        ref InodeHandle directory,
        in InodeHandle target,
        in EntryRef entry,
        int nameBytes)
    {
        directory.Item.Size = directory.Item.Size - (ulong)nameBytes;
        ulong seq = context.ItemSeq(directory.Lock);
        context.Items.Remove(Keys.Dirent(directory.Ino, entry.Hash, entry.Pos), seq);
        context.Items.Remove(Keys.Readdir(directory.Ino, entry.Pos), seq);
        context.Items.Remove(
            Keys.LinkBackref(target.Ino, directory.Ino, entry.Pos), context.ItemSeq(target.Lock));
    }
}
