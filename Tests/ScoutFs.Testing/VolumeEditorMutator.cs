using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using ScoutFs.Volume.Btrees;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>
/// Makes volumes hostile: it changes them at random, the way an attacker would who knows the format, and renews the
/// checksums, so that the changes get past the first line of defence.
/// </summary>
/// <remarks>
/// What is drawn depends on the generator and the volume only. A volume that has been changed already can be changed
/// again: whatever can no longer be understood is passed over.
/// </remarks>
public sealed class VolumeEditorMutator
{
    private static readonly ulong[] Extremes =
    [
        0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
        1UL << 32, 1UL << 47, 1UL << 52, long.MaxValue, 1UL << 63, ulong.MaxValue - 1, ulong.MaxValue,
    ];

    private readonly Prng _random;
    private readonly VolumeEditor _volume;
    private readonly List<ulong> _blocks;
    private readonly (string Name, Action Change)[] _changes;

    /// <summary>Looks over a good volume.</summary>
    public VolumeEditorMutator(VolumeEditor volume, Prng random)
    {
        _volume = volume;
        _random = random;
        _blocks =
        [
            .. volume.Meta.AllocatedOffsets()
                .Select(offset => (ulong)offset / FormatConstants.LargeBlockBytes)
                .Where(blkno => blkno >= FormatConstants.FirstMetaBlkno && MagicOf(blkno) != BlockMagic.None),
        ];
        _changes =
        [
            ("value bytes", () => ChangeItem(ChangeValue)),
            ("value bytes", () => ChangeItem(ChangeValue)),
            ("value bytes", () => ChangeItem(ChangeValue)),
            ("value length", () => ChangeItem(ChangeLength)),
            ("key", () => ChangeItem(ChangeKey)),
            ("item fields", () => ChangeItem(item => item with { Seq = Extreme(), Flags = (byte)Extreme() })),
            ("number", () => ChangeBlock(Any(), block => SetNumber(block.AsSpan(32)))),
            ("number in the head", () => ChangeBlock(Any(), block => SetNumber(block.AsSpan(32, 128)))),
            ("random bytes", () => ChangeBlock(Any(), block => RandomBytes(block.AsSpan(32)))),
            ("rubbish", () => ChangeBlock(Any(), block => _random.Fill(block.AsSpan(32)))),
            ("zeros", () => ChangeBlock(Any(), block => block.AsSpan(32).Clear())),
            ("header", () => ChangeBlock(Any(), block => SetNumber(block.AsSpan(4, 28)))),
            ("child", () => ChangeItem(RedirectChild, BlockMagic.Btree, isParent: true)),
            ("child", () => ChangeItem(RedirectChild, BlockMagic.Btree, isParent: true)),
            ("next list block", RedirectList),
            ("srch child", RedirectSrch),
            ("reference in a value", () => ChangeItem(RedirectInValue)),
            ("copy of a block", CopyBlock),
            ("root", () => ChangeSuper(block =>
                SetReference(block.AsSpan(Pick([848, 872, 896, 920, 944]), 24), withHeight: true))),
            ("super block", () => ChangeSuper(block => SetNumber(block.AsSpan(72, 1488 - 72)))),
            ("quorum block", () => ChangeQuorum(block => SetNumber(block.AsSpan(32, 248)))),
            ("truncation", Truncate),
        ];
    }

    /// <summary>What was changed, for messages.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Makes one random change.</summary>
    public void Mutate()
    {
        var (name, change) = Pick(_changes);
        try
        {
            change();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException
            or IndexOutOfRangeException or InvariantException)
        {
            // An earlier change has made the place of this one impossible to understand.
            name += " (passed over)";
        }

        Log.Add(name);
    }

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.NextInt32(from.Count)];

    private ulong Any() => Pick(_blocks);

    private BlockMagic MagicOf(ulong blkno)
    {
        Span<byte> header = stackalloc byte[32];
        _volume.Meta.Read((long)blkno * FormatConstants.LargeBlockBytes, header);
        var magic = (BlockMagic)Disk.Ref<BlockHeader>(header).Magic.Value;
        return Enum.IsDefined(magic) ? magic : BlockMagic.None;
    }

    private ulong Any(BlockMagic magic)
    {
        List<ulong> blocks = [.. _blocks.Where(blkno => MagicOf(blkno) == magic)];
        return blocks.Count == 0 ? throw new InvalidOperationException("The volume has none.") : Pick(blocks);
    }

    private ulong Extreme() => _random.NextInt32(4) == 0 ? _random.NextUInt64() : Pick(Extremes);

    private void SetNumber(Span<byte> bytes)
    {
        int size = 1 << _random.NextInt32(4);
        if (bytes.Length < size)
            return;
        int offset = _random.NextInt32(bytes.Length / size) * size;
        ulong value = Extreme();
        if (_random.NextInt32(3) == 0)
        {
            // Off by a little is nastier than far out.
            Span<byte> old = stackalloc byte[8];
            bytes.Slice(offset, size).CopyTo(old);
            value = BinaryPrimitives.ReadUInt64LittleEndian(old) + (ulong)_random.NextInt32(17) - 8;
        }

        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(number, value);
        number[..size].CopyTo(bytes[offset..]);
    }

    private void RandomBytes(Span<byte> bytes)
    {
        int count = 1 + _random.NextInt32(64);
        for (int i = 0; i < count; i++)
            bytes[_random.NextInt32(bytes.Length)] = (byte)_random.NextUInt64();
    }

    private void ChangeBlock(ulong blkno, Action<byte[]> change) => _volume.EditLarge(blkno, change);

    private void ChangeSuper(Action<byte[]> change) =>
        VolumeEditor.EditSmall(_volume.Meta, FormatConstants.SuperBlkno, change);

    private void ChangeQuorum(Action<byte[]> change) => VolumeEditor.EditSmall(
        _volume.Meta, FormatConstants.QuorumBlkno + (ulong)_random.NextInt32(FormatConstants.QuorumSlots), change);

    private void ChangeItem(
        Func<VolumeEditorItem, VolumeEditorItem> change, BlockMagic magic = BlockMagic.Btree, bool isParent = false)
    {
        List<ulong> blocks = [.. _blocks.Where(blkno => MagicOf(blkno) == magic && IsParent(blkno) == isParent)];
        ulong blkno = Pick(blocks);

        // Links that an earlier change has bent into a loop would never be walked to their end.
        if (BtreeShape.Verify(_volume.ReadLarge(blkno)).IsFound)
            throw new InvalidOperationException("The block is damaged already.");
        _volume.Rebuild(blkno, items =>
        {
            int index = _random.NextInt32(items.Count);
            items[index] = change(items[index]);
        });
    }

    private bool IsParent(ulong blkno)
    {
        Span<byte> level = stackalloc byte[1];
        _volume.Meta.Read(((long)blkno * FormatConstants.LargeBlockBytes) + 40, level);
        return level[0] != 0;
    }

    private VolumeEditorItem ChangeValue(VolumeEditorItem item)
    {
        byte[] value = (byte[])item.Value.Clone();
        SetNumber(value);
        return item with { Value = value };
    }

    private VolumeEditorItem ChangeLength(VolumeEditorItem item)
    {
        byte[] value = new byte[_random.NextInt32(FormatConstants.MaxValueBytes + 1)];
        item.Value.AsSpan(0, Math.Min(item.Value.Length, value.Length)).CopyTo(value);
        return item with { Value = value };
    }

    private VolumeEditorItem ChangeKey(VolumeEditorItem item)
    {
        var key = item.Key;
        switch (_random.NextInt32(6))
        {
            case 0:
                key.Zone = (byte)Pick([4, 8, 10, 12, 14, 16, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 255]);
                break;
            case 1:
                key.First = Near(key.First);
                break;
            case 2:
                key.Type = (byte)Pick([0, 4, 8, 12, 16, 20, 24, 28, 255]);
                break;
            case 3:
                key.Second = Near(key.Second);
                break;
            case 4:
                key.Third = Near(key.Third);
                break;
            default:
                key.Fourth = (byte)Extreme();
                break;
        }

        return item with { Key = key };
    }

    private ulong Near(ulong number) =>
        _random.NextInt32(2) == 0 ? number + (ulong)_random.NextInt32(9) - 4 : Extreme();

    private VolumeEditorItem RedirectChild(VolumeEditorItem item)
    {
        byte[] value = (byte[])item.Value.Clone();
        SetReference(value, withHeight: false);
        return item with { Value = value };
    }

    /// <summary>Looks for something in a value that refers to a block, and has it refer to another.</summary>
    private VolumeEditorItem RedirectInValue(VolumeEditorItem item)
    {
        byte[] value = (byte[])item.Value.Clone();
        List<int> places = [];
        for (int offset = 0; offset + 16 <= value.Length; offset += 8)
        {
            if (_blocks.Contains(Disk.Ref<BlockRef>(value.AsSpan(), offset).Blkno))
                places.Add(offset);
        }

        int place = places.Count == 0 ? 8 * _random.NextInt32((value.Length / 8) - 1) : Pick(places);
        SetReference(value.AsSpan(place), withHeight: _random.NextInt32(2) == 0);
        return item with { Value = value };
    }

    /// <summary>Refers to any block, rightly, so that the reader believes it.</summary>
    private void SetReference(Span<byte> bytes, bool withHeight)
    {
        ulong blkno = Any();
        byte[] block = _volume.ReadLarge(blkno);
        ref readonly var header = ref Disk.Ref<BlockHeader>(block.AsSpan());
        Disk.Ref<BlockRef>(bytes) = new BlockRef(blkno, header.Seq);
        if (withHeight && bytes.Length > 16)
            bytes[16] = _random.NextInt32(3) == 0 ? (byte)_random.NextInt32(24) : (byte)(block[40] + 1);
    }

    private void RedirectList() => ChangeBlock(Any(BlockMagic.AllocList), block =>
    {
        var target = Any(BlockMagic.AllocList);
        Disk.Ref<AllocListBlock>(block.AsSpan()).Next =
            new BlockRef(target, Disk.Ref<BlockHeader>(_volume.ReadLarge(target)).Seq);
    });

    private void RedirectSrch() => ChangeBlock(Any(BlockMagic.SrchParent), block =>
    {
        for (int i = 0; i < 1 + _random.NextInt32(8); i++)
        {
            var target = Any(_random.NextInt32(2) == 0 ? BlockMagic.SrchParent : BlockMagic.SrchLeaf);
            Disk.Ref<BlockRef>(block.AsSpan(), 32 + (16 * _random.NextInt32(12))) =
                new BlockRef(target, Disk.Ref<BlockHeader>(_volume.ReadLarge(target)).Seq);
        }
    });

    private void CopyBlock()
    {
        ulong target = Any();
        byte[] block = _volume.ReadLarge(Any());
        _volume.ReadLarge(target).AsSpan(0, 32).CopyTo(block);
        _volume.WriteLarge(target, block);
    }

    private void Truncate()
    {
        long metaBytes = _volume.Meta.SizeBytes;
        long dataBytes = _volume.Data.SizeBytes;
        if (_random.NextInt32(3) == 0)
            dataBytes = CutOff(dataBytes);
        else
            metaBytes = CutOff(metaBytes);
        _volume.Truncate(metaBytes, dataBytes);
    }

    private long CutOff(long sizeBytes) => _random.NextInt32(2) == 0
        ? (long)_random.NextUInt64((ulong)sizeBytes / 4096) * 4096
        : _random.NextInt32(64) * 4096L;
}
