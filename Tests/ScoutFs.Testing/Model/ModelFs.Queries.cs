using System;
using System.Linq;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <content>What can be asked.</content>
public sealed partial class ModelFs
{
    private static readonly FaultSet NothingThere = FaultSet.Of(FsError.PastEnd, FsError.NotFound);

    /// <summary>Bytes of a file, zeros where nothing was written.</summary>
    public static byte[] ReadBytes(ModelInode inode, ulong offset, int length)
    {
        if (offset >= inode.Size)
            return [];
        byte[] bytes = new byte[(int)Math.Min((ulong)length, inode.Size - offset)];
        for (int done = 0; done < bytes.Length;)
        {
            ulong at = offset + (ulong)done;
            int within = (int)(at % BlockBytes);
            int part = Math.Min(bytes.Length - done, BlockBytes - within);
            if (inode.Blocks.TryGetValue(at / BlockBytes, out var block))
                block.Bytes.AsSpan(within, part).CopyTo(bytes.AsSpan(done));
            done += part;
        }

        return bytes;
    }

    private ModelAnswer Answer(FsOp op) => op switch
    {
        ReadOp read => Read(read),
        LookupOp lookup => Lookup(lookup),
        ListOp list => List(Get(list.Id)),
        StatOp stat => new ModelAnswer { Inode = Get(stat.Id) },
        GetXattrOp get => GetXattr(get),
        ListXattrsOp list => new ModelAnswer
        {
            Names = [.. Get(list.Id).Xattrs.Keys.Where(static name => !IsHidden(name))],
            IsAnyOrder = true,
        },
        ReadLinkOp read => Get(read.Id) is { IsSymlink: true } inode
            ? new ModelAnswer { Bytes = ModelText.ToBytes(inode.Target) }
            : Changed(FaultSet.Of(FsError.Invalid)),
        SeekOp seek => Seek(seek),
        SyncOp => new ModelAnswer(),
        _ => throw new ArgumentOutOfRangeException(nameof(op)),
    };

    private ModelAnswer Read(ReadOp op)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (!faults.IsEmpty)
            return Changed(faults);
        byte[] bytes = ReadBytes(inode, op.Offset, op.Length);
        ulong first = op.Offset / BlockBytes;
        ulong last = (op.Offset + (ulong)Math.Max(bytes.Length, 1) - 1) / BlockBytes;
        bool isOffline = inode.OfflineBlocks != 0 && inode.Blocks.Any(
            pair => pair.Key >= first && pair.Key <= last && pair.Value.IsOffline);
        return isOffline && bytes.Length > 0
            ? Changed(FaultSet.Of(FsError.Offline, FsError.WouldBlock))
            : new ModelAnswer { Bytes = bytes };
    }

    private ModelAnswer Lookup(LookupOp op)
    {
        if (!Get(op.Parent).IsDirectory)
            return Changed(FaultSet.Of(FsError.NotDirectory));
        return State.Find(op.Parent, op.Name) is { } inode
            ? new ModelAnswer { Id = inode.Id, Inode = inode }
            : Changed(FaultSet.Of(FsError.NotFound) | FaultsOfName(op.Name));
    }

    private static ModelAnswer List(ModelInode inode) => inode.IsDirectory
        ? new ModelAnswer
        {
            Names = [.. inode.Entries.OrderBy(static pair => pair.Value.Position).Select(static pair => pair.Key)],
        }
        : Changed(FaultSet.Of(FsError.NotDirectory));

    private ModelAnswer GetXattr(GetXattrOp op) => Get(op.Id).Xattrs.TryGetValue(op.Name, out byte[]? value)
        ? new ModelAnswer { Bytes = value }
        : Changed(FaultSet.Of(FsError.NoXattr) | FaultsOfXattrName(op.Name));

    // Blocks that are allocated but not written may count as data or as a hole: both are right.
    private ModelAnswer Seek(SeekOp op)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (op.Offset >= inode.Size)
            faults |= NothingThere;
        if (!faults.IsEmpty)
            return Changed(faults);
        ulong block = op.Offset / BlockBytes;
        if (op.IsData)
        {
            foreach (ulong number in inode.Blocks.Keys)
            {
                if (number >= block)
                    return new ModelAnswer { Offset = (op.Offset, Math.Max(op.Offset, number * BlockBytes)) };
            }

            return new ModelAnswer { Offset = (op.Offset, inode.Size - 1), MayFail = NothingThere };
        }

        while (inode.Blocks.ContainsKey(block))
            block++;
        ulong least = Math.Min(Math.Max(op.Offset, block * BlockBytes), inode.Size);
        return new ModelAnswer { Offset = (least, inode.Size) };
    }
}
