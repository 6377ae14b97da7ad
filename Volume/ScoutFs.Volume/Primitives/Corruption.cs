using System.Globalization;

namespace ScoutFs.Volume.Primitives;

/// <summary>Every place that can find the volume damaged; each value is raised by exactly one source line.</summary>
/// <remarks>Names start with the structure. The numbers are not on disk and may change.</remarks>
public enum CorruptionSite : ushort
{
    /// <summary>Nothing found.</summary>
    None = 0,

    /// <summary>A reference points outside the device (format §2, I10).</summary>
    BlockOutsideDevice,

    /// <summary>The checksum does not match the contents (format §3, I10).</summary>
    BlockCrc,

    /// <summary>The magic is not the one the referrer expects (format §3, I11).</summary>
    BlockMagic,

    /// <summary>The header's fsid is another volume's (format §3, I12).</summary>
    BlockFsid,

    /// <summary>The header's blkno is not where the block was read (format §3, I12).</summary>
    BlockBlkno,

    /// <summary>The header's seq is not the reference's (format §3, I12).</summary>
    BlockSeq,

    /// <summary>The device could not read the block.</summary>
    BlockUnreadable,

    /// <summary>A super or quorum block has another magic (format §3, I1, I8).</summary>
    SmallBlockMagic,

    /// <summary>A super or quorum block's checksum does not match (format §3, I1, I8).</summary>
    SmallBlockCrc,

    /// <summary>A super or quorum block's blkno is not where it was read (format §3, I1, I8).</summary>
    SmallBlockBlkno,

    /// <summary>A quorum block's fsid is another volume's (format §3, I8).</summary>
    SmallBlockFsid,

    /// <summary>A root's height and reference contradict each other, or it exceeds 20 (format §7.1, I34).</summary>
    BtreeRootShape,

    /// <summary>The block's level is not the one its place in the tree asks for (format §7.1, I20).</summary>
    BtreeLevel,

    /// <summary>More items than fit into a block (format §7.1, I21).</summary>
    BtreeItemCount,

    /// <summary>An AVL link leads outside the items, or not every item is reached once (format §7.3, I22).</summary>
    BtreeAvlLinks,

    /// <summary>Keys are not ascending (format §7.3, I24).</summary>
    BtreeKeyOrder,

    /// <summary>A key lies outside the range its parent gives the block (format §7.5, I25).</summary>
    BtreeKeyRange,

    /// <summary>A value lies outside the block's value area or is longer than 896 bytes (format §7.1, I27).</summary>
    BtreeValuePlace,

    /// <summary>A parent's item has no 16 byte reference as its value (format §7.5, I28).</summary>
    BtreeParentValue,

    /// <summary>A parent block without items (format §7.5, I35).</summary>
    BtreeParentEmpty,

    /// <summary>A parent has no child for a key in its range (format §7.5, I32).</summary>
    BtreeNoChild,

    /// <summary>A leaf's hash table holds an offset that is no item (format §7.4, I33).</summary>
    BtreeLeafHash,

    /// <summary>A tree to be changed has a contradictory root (format §7.1).</summary>
    BtreeWriterRootShape,

    /// <summary>A block on the path of a change has a wrong level (format §7.1).</summary>
    BtreeWriterLevel,

    /// <summary>A block on the path of a change has keys outside its parent's range (format §7.5).</summary>
    BtreeWriterKeyRange,

    /// <summary>A parent on the path of a change has no child for the key (format §7.5).</summary>
    BtreeWriterNoChild,

    /// <summary>The neighbour of an under-filled block has another level (format §7.1).</summary>
    BtreeWriterSibling,

    /// <summary>A totals item to add to does not have 16 bytes (format §10.9).</summary>
    BtreeWriterDelta,

    /// <summary>A totals item to merge into does not have 16 bytes (format §10.9).</summary>
    BtreeMergeTotal,

    /// <summary>A totals item to merge does not have 16 bytes (format §10.9).</summary>
    BtreeMergeDelta,

    /// <summary>A block of a tree that is being freed has not the level of its place (format §13.2).</summary>
    BtreeFreeingLevel,

    /// <summary>The root of a tree to free has a height that contradicts its reference (format §7.1, I34).</summary>
    BtreeFreeingRoot,

    /// <summary>The head block of an allocator list exceeds its array (format §8.2, I51).</summary>
    ListHeadBounds,

    /// <summary>The head block of an allocator list has another count than the head says (format §8.2, I52).</summary>
    ListHeadCount,

    /// <summary>A list block that is moved or emptied exceeds its array (format §8.2, I51).</summary>
    TransferListBounds,

    /// <summary>A list that is moved or emptied has another count than its head says (format §8.2, I52).</summary>
    TransferListCount,

    /// <summary>An item of a leader's trees has a value of another length than its key asks (format §13).</summary>
    LeaderItem,

    /// <summary>A leader starts with an item whose key is not its contents, or of wrong length (format §9.1).</summary>
    LeaderItemKey,

    /// <summary>A log merge completion does not have 208 bytes (format §13.2, I81).</summary>
    LogMergeComplete,

    /// <summary>A log merge range does not have 64 bytes (format §13.2, I81).</summary>
    LogMergeRange,

    /// <summary>A srch file item of a compaction's choice does not have 88 bytes (format §12.2, I76).</summary>
    SrchCoordinatorFile,

    /// <summary>A srch compaction item does not have 584 bytes (format §12.2, I76).</summary>
    SrchCoordinatorCompact,

    /// <summary>A list block's start and nr exceed its array (format §8.2, I51).</summary>
    ListBlockBounds,

    /// <summary>An allocator list is longer than the device has blocks: it loops (format §8.2, I51).</summary>
    ListCycle,

    /// <summary>A list's counts are not those of its blocks (format §8.2, I52).</summary>
    ListCounts,

    /// <summary>A fixed-size item has a value of another length (format §6.2, §19).</summary>
    ItemValueLength,

    /// <summary>A log trees item that a mount reads has a wrong length (format §9.1).</summary>
    LogTreesValueLength,

    /// <summary>A log trees item's key is not its rid and nr (format §9.1, I84).</summary>
    LogTreesKey,

    /// <summary>A srch file's height, reference and block count contradict each other (format §12.1, I70).</summary>
    SrchFileShape,

    /// <summary>A srch file lacks a block inside its count (format §12.1, I71).</summary>
    SrchBlockMissing,

    /// <summary>A srch entry starts or ends past the decodable area (format §12.1, I72).</summary>
    SrchEntryBounds,

    /// <summary>A srch file to append to has a height that contradicts its blocks (format §12.1, I70).</summary>
    SrchLogShape,

    /// <summary>A srch file to append to lacks a block inside its count (format §12.1, I71).</summary>
    SrchLogNoBlock,

    /// <summary>The last leaf of a srch file says it has more bytes than it can (format §12.1, I72).</summary>
    SrchLogTail,

    /// <summary>A srch file that is read has a height that contradicts its blocks (format §12.1, I70).</summary>
    SrchCursorShape,

    /// <summary>A srch file that is read lacks a block inside its count (format §12.1, I71).</summary>
    SrchCursorNoBlock,

    /// <summary>A srch leaf says it has more bytes than it can (format §12.1, I72).</summary>
    SrchLeafLength,

    /// <summary>A srch entry starts or ends outside its leaf's entries (format §12.1, I72).</summary>
    SrchLeafEntry,

    /// <summary>A srch leaf's entries take fewer bytes than it says (format §12.1, I72).</summary>
    SrchLeafBytes,

    /// <summary>A compaction is to go on where no srch entry starts (format §12.2).</summary>
    SrchResumeOffset,

    /// <summary>A log trees item to merge does not have 472 bytes (format §9.1, I84).</summary>
    MergeInputLength,

    /// <summary>A srch compaction has not one kind, or not 2 to 4 inputs (format §12.2, I77).</summary>
    SrchCompactShape,

    /// <summary>A srch file to delete has a height that contradicts its blocks (format §12.1, I70).</summary>
    SrchDeleteShape,

    /// <summary>A srch file to delete lacks a block inside its count (format §12.1, I71).</summary>
    SrchDeleteNoBlock,

    /// <summary>A srch file item does not have 88 bytes (format §12.2, I76).</summary>
    SrchFileItemLength,

    /// <summary>A log trees item, whose srch file is searched, does not have 472 bytes (format §9.1, I84).</summary>
    SrchLogTreesLength,

    /// <summary>An inode item's size is none of the volume's version (format §10.1, I91).</summary>
    InodeSize,

    /// <summary>A directory entry's value is malformed (format §10.2, I92).</summary>
    DirentShape,

    /// <summary>A symlink's size, parts or final NUL are wrong (format §10.4, I100).</summary>
    SymlinkShape,

    /// <summary>An xattr's parts do not fit its header (format §10.5, I101).</summary>
    XattrShape,

    /// <summary>A data extent is invalid, or overlaps its neighbour (format §10.6, I96).</summary>
    ExtentShape,

    /// <summary>An item refers to an inode that does not exist (format §10, I94).</summary>
    MissingInode,
}

/// <summary>What was found where: enough to name block and structure in an error message.</summary>
/// <param name="Site">The check that failed.</param>
/// <param name="Blkno">Block it was found in or referred to, in its own unit (64 KiB for large ones); 0: none.</param>
/// <param name="Expected">What the check asked for, meaning by site.</param>
/// <param name="Actual">What was there, meaning by site.</param>
public readonly record struct Corruption(CorruptionSite Site, ulong Blkno, ulong Expected = 0, ulong Actual = 0)
{
    /// <summary>True when something was found.</summary>
    public bool IsFound => Site != CorruptionSite.None;

    /// <summary>One line for people: the structure, the block, what was expected and what was there.</summary>
    public string Describe() => Site == CorruptionSite.None
        ? "no damage"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{Site} in block {Blkno}: expected 0x{Expected:x} ({Expected}), found 0x{Actual:x} ({Actual})");

    /// <inheritdoc/>
    public override string ToString() => Describe();
}
