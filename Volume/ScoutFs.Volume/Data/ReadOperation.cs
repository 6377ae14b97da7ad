using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Data;

/// <summary>A part of a read that must come from the device.</summary>
/// <param name="TargetOffset">Byte of the caller's buffer it goes to.</param>
/// <param name="DeviceOffset">First byte on the data device.</param>
/// <param name="Bytes">Length.</param>
public readonly record struct DeviceRead(int TargetOffset, long DeviceOffset, int Bytes);

/// <summary>Reads what is in memory of a range, and says where the rest is (engine §8.4).</summary>
/// <remarks>
/// When device reads are left, <see cref="DataPort.BeginRead"/> was called for the inode: the caller reads and ends it.
/// </remarks>
/// <param name="ino">Inode number.</param>
/// <param name="offset">First byte.</param>
/// <param name="target">Receives the bytes.</param>
/// <param name="reads">Receives what is left to read.</param>
/// <param name="data">The mount's data side.</param>
public struct ReadOperation(
    ulong ino, ulong offset, Memory<byte> target, List<DeviceRead> reads, DataPort data) : IOperation
{
    private const int BlockBytes = FormatConstants.SmallBlockBytes;

    /// <summary>None; NotFound, IsDirectory, Invalid, Corrupt.</summary>
    public FsError Error { get; private set; }

    /// <summary>Bytes to be had; less than asked for at the end of the file.</summary>
    public int Bytes { get; private set; }

    /// <inheritdoc/>
    public bool Attempt(OperationContext context)
    {
        reads.Clear();
        if (!InodeAccess.Load(context, ino, LockMode.Read, out var inode, out var error))
            return false;
        Error = error != FsError.None ? error : InodeAccess.CheckRegular(inode.Item);
        ulong size = inode.Item.Size;
        if (Error != FsError.None || offset >= size || target.IsEmpty)
            return true;
        ulong end = Math.Min(size, offset + Math.Min((ulong)target.Length, ulong.MaxValue - offset));
        ulong endBlock = ((end - 1) / BlockBytes) + 1;
        if (inode.Item.OfflineBlocks != 0UL)
        {
            if (!OfflineExtents.FindFirst(context, inode, offset / BlockBytes, endBlock, out ulong offline))
                return false;
            if (offline != ulong.MaxValue)
            {
                context.Need(data.Waiters.Add(ino, offline, DataWaitOp.Read), releasesLocks: true);
                return false;
            }
        }

        ulong at = offset;
        while (at < end)
        {
            if (!FileExtents.Next(context, inode, at / BlockBytes, out bool isFound, out var extent))
                return false;
            ulong from = isFound ? Math.Max(at, extent.Start * BlockBytes) : end;
            ulong holeEnd = Math.Min(from, end);
            target.Span[(int)(at - offset)..(int)(holeEnd - offset)].Clear();
            at = holeEnd;
            if (at >= end)
                break;
            ulong to = Math.Min(end, extent.End * BlockBytes);
            if (extent.IsOnline)
                Map(extent, at, to);
            else
                target.Span[(int)(at - offset)..(int)(to - offset)].Clear();
            at = to;
        }

        Bytes = (int)(end - offset);
        if (reads.Count > 0)
            data.BeginRead(ino);
        return true;
    }

    // Blocks that are still in buffers are copied; runs of others become device reads.
    private readonly void Map(in DataExtent extent, ulong at, ulong to)
    {
        while (at < to)
        {
            ulong blkno = extent.Blkno + ((at / BlockBytes) - extent.Start);
            int skip = (int)(at % BlockBytes);
            int length = (int)Math.Min(to - at, (ulong)(BlockBytes - skip));
            int targetOffset = (int)(at - offset);
            if (data.Buffers.TryGet(blkno, out var block))
            {
                block.Slice(skip, length).CopyTo(target.Span[targetOffset..]);
            }
            else
            {
                long deviceOffset = ((long)blkno * BlockBytes) + skip;
                if (reads.Count > 0 && reads[^1] is var last
                    && last.DeviceOffset + last.Bytes == deviceOffset
                    && last.TargetOffset + last.Bytes == targetOffset)
                {
                    reads[^1] = last with { Bytes = last.Bytes + length };
                }
                else
                {
                    reads.Add(new DeviceRead(targetOffset, deviceOffset, length));
                }
            }

            at += (ulong)length;
        }
    }
}
