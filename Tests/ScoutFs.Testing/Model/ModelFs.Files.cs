using System;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <content>Contents and attributes.</content>
public sealed partial class ModelFs
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    private static FaultSet FaultsOfFile(ModelInode inode)
    {
        if (inode.IsRegular)
            return default;
        return inode.IsDirectory
            ? FaultSet.Of(FsError.IsDirectory, FsError.Invalid)
            : FaultSet.Of(FsError.Invalid, FsError.Unsupported);
    }

    private FaultSet Write(WriteOp op, ModelTime now)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        ulong offset = op.IsAppend ? inode.Size : op.Offset;
        if (offset > MaxFileBytes || (ulong)op.Length > MaxFileBytes - offset)
            faults |= FaultSet.Of(FsError.FileTooLarge, FsError.Invalid);
        if (inode.OfflineBlocks != 0)
            faults |= FaultSet.Of(FsError.Offline, FsError.WouldBlock);
        if (!faults.IsEmpty || op.Length == 0)
            return faults;
        byte[] bytes = ModelText.Contents(op.Seed, op.Length);
        var blocks = inode.Blocks.ToBuilder();
        for (int done = 0; done < bytes.Length;)
        {
            ulong at = offset + (ulong)done;
            int within = (int)(at % BlockBytes);
            int part = Math.Min(bytes.Length - done, BlockBytes - within);
            byte[] block = blocks.TryGetValue(at / BlockBytes, out var old)
                ? (byte[])old.Bytes.Clone()
                : new byte[BlockBytes];
            bytes.AsSpan(done, part).CopyTo(block.AsSpan(within));
            blocks[at / BlockBytes] = new ModelBlock(block, IsOffline: false);
            done += part;
        }

        Put(inode with
        {
            Blocks = blocks.ToImmutable(),
            Size = Math.Max(inode.Size, offset + (ulong)op.Length),
            Mtime = now,
            Ctime = now,
        });
        return default;
    }

    private FaultSet Truncate(TruncateOp op, ModelTime now)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (op.Size > MaxFileBytes)
            faults |= FaultSet.Of(FsError.FileTooLarge, FsError.Invalid);
        if (op.Size > 0 && op.Size != inode.Size && inode.OfflineBlocks != 0)
            faults |= FaultSet.Of(FsError.Offline, FsError.WouldBlock);
        if (!faults.IsEmpty)
            return faults;
        var blocks = inode.Blocks;
        if (op.Size < inode.Size)
        {
            ulong kept = (op.Size + BlockBytes - 1) / BlockBytes;
            blocks = blocks.RemoveRange(inode.Blocks.Keys.Where(block => block >= kept));
            int within = (int)(op.Size % BlockBytes);
            if (within != 0 && blocks.TryGetValue(op.Size / BlockBytes, out var last))
            {
                byte[] tail = (byte[])last.Bytes.Clone();
                tail.AsSpan(within).Clear();
                blocks = blocks.SetItem(op.Size / BlockBytes, last with { Bytes = tail });
            }
        }

        Put(inode with
        {
            Blocks = blocks,
            OfflineBlocks = (ulong)blocks.Values.Count(static block => block.IsOffline),
            Size = op.Size,
            Mtime = now,
            Ctime = now,
        });
        return default;
    }

    // Allocated blocks are not seen until they are written: only the size changes.
    private FaultSet Allocate(AllocateOp op)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (op.Offset > MaxFileBytes || op.Length > MaxFileBytes - op.Offset)
            faults |= FaultSet.Of(FsError.FileTooLarge, FsError.Invalid);
        if (!faults.IsEmpty)
            return faults;
        if (!op.KeepsSize && op.Length > 0)
            Put(inode with { Size = Math.Max(inode.Size, op.Offset + op.Length) });
        return default;
    }

    private FaultSet SetAttr(SetAttrOp op, ModelTime now)
    {
        var inode = Get(op.Id);
        if (op.Mode is not null && inode.IsSymlink)
            return FaultSet.Of(FsError.Unsupported);
        Put(inode with
        {
            Mode = op.Mode is { } mode ? (inode.Mode & FileMode.TypeMask) | mode : inode.Mode,
            Uid = op.Uid ?? inode.Uid,
            Gid = op.Gid ?? inode.Gid,
            Atime = op.Atime ?? inode.Atime,
            Mtime = op.Mtime ?? inode.Mtime,
            Ctime = now,
        });
        return default;
    }

    private FaultSet SetProject(SetProjectOp op, ModelTime now)
    {
        Put(Get(op.Id) with { Project = op.Project, Ctime = now });
        return default;
    }

    private FaultSet Release(ReleaseOp op)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (!faults.IsEmpty)
            return faults;
        SetOffline(inode, op.FirstBlock, op.CountBlocks, isOffline: true);
        return default;
    }

    private FaultSet Stage(StageOp op)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfFile(inode);
        if (!faults.IsEmpty)
            return faults;
        SetOffline(inode, op.FirstBlock, op.CountBlocks, isOffline: false);
        return default;
    }

    private void SetOffline(ModelInode inode, ulong first, ulong count, bool isOffline)
    {
        var blocks = inode.Blocks.ToBuilder();
        foreach (var (number, block) in inode.Blocks)
        {
            if (number >= first && number - first < count)
                blocks[number] = block with { IsOffline = isOffline };
        }

        var changed = blocks.ToImmutable();
        Put(inode with
        {
            Blocks = changed,
            OfflineBlocks = (ulong)changed.Values.Count(static block => block.IsOffline),
        });
    }
}
