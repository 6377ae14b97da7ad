using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing;

/// <summary>Changes a struct in place.</summary>
/// <param name="value">The struct, to be read and written.</param>
public delegate void VolumeEdit<T>(ref T value);

/// <summary>
/// Changes a volume in place, for tests that plant one defect: blocks keep their blkno and seq, so that whatever refers
/// to them stays valid, and checksums are renewed unless the defect is the checksum.
/// </summary>
/// <remarks>
/// Made for small, good volumes: it walks trees without caching or doubting anything, and an edit that does not find
/// what it is to change throws. An editor owns its two devices. Not thread safe.
/// </remarks>
public sealed partial class VolumeEditor
{
    /// <summary>Takes over two devices.</summary>
    public VolumeEditor(VolumeEditorDevice meta, VolumeEditorDevice data)
    {
        Meta = meta;
        Data = data;
    }

    /// <summary>The metadata device.</summary>
    public VolumeEditorDevice Meta { get; private set; }

    /// <summary>The data device.</summary>
    public VolumeEditorDevice Data { get; private set; }

    /// <summary>The metadata device's super block as it is now.</summary>
    public SuperBlock Super => Disk.Ref<SuperBlock>(ReadSmall(Meta, FormatConstants.SuperBlkno).AsSpan());

    /// <summary>A volume with the same contents to change.</summary>
    public VolumeEditor Fork() => new(Meta.Fork(), Data.Fork());

    /// <summary>Cuts devices off; -1 leaves the size.</summary>
    public void Truncate(long metaBytes, long dataBytes)
    {
        Meta = Meta.Fork(metaBytes);
        Data = Data.Fork(dataBytes);
    }

    /// <summary>Changes the metadata device's super block.</summary>
    public void EditSuper(VolumeEdit<SuperBlock> edit) => EditSmall(Meta, FormatConstants.SuperBlkno, edit);

    /// <summary>Changes the data device's super block.</summary>
    public void EditDataSuper(VolumeEdit<SuperBlock> edit) => EditSmall(Data, FormatConstants.SuperBlkno, edit);

    /// <summary>Changes a quorum block.</summary>
    public void EditQuorum(int slot, VolumeEdit<QuorumBlock> edit) =>
        EditSmall(Meta, FormatConstants.QuorumBlkno + (ulong)slot, edit);

    /// <summary>Reads a super or quorum block.</summary>
    public static byte[] ReadSmall(VolumeEditorDevice device, ulong blkno)
    {
        byte[] block = new byte[FormatConstants.SmallBlockBytes];
        device.Read((long)blkno * FormatConstants.SmallBlockBytes, block);
        return block;
    }

    /// <summary>Changes the struct at the start of a super or quorum block.</summary>
    public static void EditSmall<T>(VolumeEditorDevice device, ulong blkno, VolumeEdit<T> edit)
        where T : unmanaged
        => EditSmall(device, blkno, block => edit(ref Disk.Ref<T>(block.AsSpan())));

    /// <summary>Changes a super or quorum block as bytes.</summary>
    public static void EditSmall(
        VolumeEditorDevice device, ulong blkno, Action<byte[]> edit, bool isChecksumRenewed = true)
    {
        byte[] block = ReadSmall(device, blkno);
        edit(block);
        if (isChecksumRenewed)
            Disk.Ref<BlockHeader>(block.AsSpan()).Crc = Crc32C.Compute(block.AsSpan(4));
        device.Write((long)blkno * FormatConstants.SmallBlockBytes, block);
    }

    /// <summary>Reads a large metadata block.</summary>
    public byte[] ReadLarge(ulong blkno)
    {
        byte[] block = new byte[FormatConstants.LargeBlockBytes];
        Meta.Read((long)blkno * FormatConstants.LargeBlockBytes, block);
        return block;
    }

    /// <summary>Overwrites a large metadata block.</summary>
    public void WriteLarge(ulong blkno, byte[] block, bool isChecksumRenewed = true)
    {
        if (isChecksumRenewed)
            Disk.Ref<BlockHeader>(block.AsSpan()).Crc = Crc32C.Compute(block.AsSpan(4));
        Meta.Write((long)blkno * FormatConstants.LargeBlockBytes, block);
    }

    /// <summary>Changes a large metadata block as bytes.</summary>
    public void EditLarge(ulong blkno, Action<byte[]> edit, bool isChecksumRenewed = true)
    {
        byte[] block = ReadLarge(blkno);
        edit(block);
        WriteLarge(blkno, block, isChecksumRenewed);
    }

    /// <summary>Changes the struct at the start of a large metadata block.</summary>
    public void EditLarge<T>(ulong blkno, VolumeEdit<T> edit)
        where T : unmanaged
        => EditLarge(blkno, block => edit(ref Disk.Ref<T>(block.AsSpan())));

    /// <summary>Blocks of a list, the head first.</summary>
    public IReadOnlyList<ulong> ListBlocks(in AllocListHead head)
    {
        List<ulong> blknos = [];
        for (var next = head.Ref; !next.IsNone; next = Disk.Ref<AllocListBlock>(ReadLarge(next.Blkno)).Next)
            blknos.Add(next.Blkno);
        return blknos;
    }

    /// <summary>Entries of a list, block by block.</summary>
    public IReadOnlyList<ulong> ListEntries(in AllocListHead head)
    {
        List<ulong> entries = [];
        foreach (ulong blkno in ListBlocks(head))
        {
            foreach (var entry in Entries(ReadLarge(blkno)))
                entries.Add(entry);
        }

        return entries;
    }

    /// <summary>Changes the valid entries of a list block.</summary>
    public void EditEntries(ulong listBlkno, Action<Memory<Le64>> edit) => EditLarge(listBlkno, block =>
    {
        // The entries are copied out and back, because a span cannot be captured by the caller's function.
        var entries = Entries(block).ToArray();
        edit(entries);
        entries.CopyTo(Entries(block));
    });

    /// <summary>Leaves of a good srch file in logical order.</summary>
    public IReadOnlyList<ulong> SrchLeaves(in SrchFile file)
    {
        List<ulong> level = file.Height == 0 ? [] : [file.Ref.Blkno];
        for (int height = file.Height; height > 1; height--)
        {
            List<ulong> below = [];
            foreach (ulong blkno in level)
            {
                foreach (var child in References(ReadLarge(blkno)))
                {
                    if (!child.IsNone)
                        below.Add(child.Blkno);
                }
            }

            level = below;
        }

        return level;
    }

    /// <summary>The references of a srch parent.</summary>
    public static Span<BlockRef> References(byte[] srchParent) =>
        Disk.Slice<BlockRef>(srchParent.AsSpan(), 32, FormatConstants.SrchParentRefs);

    /// <summary>Replaces the entries of a srch leaf; the file's bounds and count stay as they are.</summary>
    public void EditSrchLeaf(ulong blkno, Action<List<SrchEntry>> edit) => EditLarge(blkno, block =>
    {
        var entries = SampleVolumeSrch.ReadLeaf(block);
        edit(entries);
        SampleVolumeSrch.FillLeaf(block, entries);
    });

    private static Span<Le64> Entries(byte[] listBlock)
    {
        ref readonly var list = ref Disk.Ref<AllocListBlock>(listBlock.AsSpan());
        return MemoryMarshal.Cast<byte, Le64>(listBlock.AsSpan(56)).Slice((int)list.Start.Value, (int)list.Nr.Value);
    }
}
