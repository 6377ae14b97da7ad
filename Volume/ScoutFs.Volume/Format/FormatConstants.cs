namespace ScoutFs.Volume.Format;

/// <summary>Sizes, limits and magic numbers of the volume format. All of them are on disk: never change one.</summary>
public static class FormatConstants
{
    /// <summary>Bytes of a small block: file contents, super block, quorum blocks (format §1).</summary>
    public const int SmallBlockBytes = 4096;

    /// <summary>Bytes of a large block: all other metadata (format §1).</summary>
    public const int LargeBlockBytes = 65536;

    /// <summary>Small blkno of the super block on both devices (format §2).</summary>
    public const ulong SuperBlkno = 16;

    /// <summary>Small blkno of the first quorum block; slot n is at this + n (format §2).</summary>
    public const ulong QuorumBlkno = 17;

    /// <summary>Quorum slots and quorum blocks of a volume (format §5).</summary>
    public const int QuorumSlots = 15;

    /// <summary>First large blkno that may be allocated (format §2).</summary>
    public const ulong FirstMetaBlkno = 2;

    /// <summary>First data blkno that may be allocated (format §2).</summary>
    public const ulong FirstDataBlkno = 64;

    /// <summary>Lowest format version read and written here (format §16).</summary>
    public const ulong MinFormatVersion = 1;

    /// <summary>Greatest format version read and written here (format §16).</summary>
    public const ulong MaxFormatVersion = 2;

    /// <summary>Inode number of the root directory (format §10.1).</summary>
    public const ulong RootIno = 1;

    /// <summary>First inode number that mkfs leaves to be handed out (format §15).</summary>
    public const ulong FirstFreeIno = 1024;

    /// <summary>Inodes of one lock group, and majors of one index lock group (format §9.4).</summary>
    public const ulong LockGroupSize = 1024;

    /// <summary>Greatest length of an item's value in bytes; also of one xattr or symlink part (format §7.1).</summary>
    public const int MaxValueBytes = 896;

    /// <summary>Greatest height of a btree (format §7.1).</summary>
    public const int MaxBtreeHeight = 20;

    /// <summary>Greatest length of a name in a directory in bytes (format §10.2).</summary>
    public const int MaxNameBytes = 255;

    /// <summary>Greatest length of a symlink's target in bytes, including the stored NUL (format §10.4).</summary>
    public const int MaxSymlinkBytes = 4096;

    /// <summary>Greatest length of an xattr's value in bytes (format §10.5).</summary>
    public const int MaxXattrValueBytes = 65535;

    /// <summary>Blknos in one block of an allocator list (format §8.2).</summary>
    public const int ListBlockEntries = 8185;

    /// <summary>References in one srch parent block (format §12.1).</summary>
    public const int SrchParentRefs = 4094;

    /// <summary>Greatest byte of the encoded area of a srch leaf at which an entry may start (format §12.1).</summary>
    public const int SrchLastEntryStart = 65398;

    /// <summary>Bits of a bloom block's bitmap (format §9.3).</summary>
    public const int BloomBits = 523968;

    /// <summary>Data zones that a log trees item can tell apart (format §9.1).</summary>
    public const int DataZones = 1024;

    /// <summary>Slots of volume options; only option 0 exists (format §4).</summary>
    public const int VolumeOptions = 64;

    /// <summary>Inputs of one srch compaction (format §12.2).</summary>
    public const int SrchCompactInputs = 4;
}

/// <summary>Block types in <see cref="BlockHeader.Magic"/>; values are on disk, never renumber (format §3).</summary>
public enum BlockMagic : uint
{
    /// <summary>No block.</summary>
    None = 0,

    /// <summary>Super block, small.</summary>
    Super = 0x103c428b,

    /// <summary>Quorum block, small.</summary>
    Quorum = 0xbc310868,

    /// <summary>Btree block, large.</summary>
    Btree = 0xe597f96d,

    /// <summary>Bloom filter block, large.</summary>
    Bloom = 0x31995604,

    /// <summary>Leaf of a srch file, large.</summary>
    SrchLeaf = 0x897e4a7d,

    /// <summary>Parent of a srch file, large.</summary>
    SrchParent = 0xb23a2a05,

    /// <summary>Block of an allocator list, large.</summary>
    AllocList = 0x8a93ac83,
}

/// <summary>Zones of keys: the most significant part; values are on disk, never renumber (format §6.2).</summary>
public static class KeyZone
{
    /// <summary>Index of inodes by meta_seq and data_seq.</summary>
    public const byte InodeIndex = 4;

    /// <summary>Unlinked inodes.</summary>
    public const byte Orphan = 8;

    /// <summary>Quota rules, since version 2.</summary>
    public const byte Quota = 10;

    /// <summary>Totals of xattrs tagged totl; delta items.</summary>
    public const byte XattrTotal = 12;

    /// <summary>Index of xattrs tagged indx, since version 2.</summary>
    public const byte XattrIndex = 14;

    /// <summary>Everything that belongs to one inode.</summary>
    public const byte Fs = 16;

    /// <summary>Names of locks that no item has; never stored.</summary>
    public const byte Lock = 20;

    /// <summary>Log trees items, in logs_root only.</summary>
    public const byte LogTrees = 24;

    /// <summary>Mounted clients.</summary>
    public const byte MountedClient = 28;

    /// <summary>Srch files and compactions, in srch_root only.</summary>
    public const byte Srch = 32;

    /// <summary>Free extents by location, in allocator roots only.</summary>
    public const byte FreeByLocation = 36;

    /// <summary>Free extents by size, in allocator roots only.</summary>
    public const byte FreeBySize = 40;

    /// <summary>Status of the running log merge.</summary>
    public const byte MergeStatus = 44;

    /// <summary>Key ranges that a log merge has yet to do.</summary>
    public const byte MergeRange = 48;

    /// <summary>Log merge requests handed out.</summary>
    public const byte MergeRequest = 52;

    /// <summary>Log merge completions not yet spliced in.</summary>
    public const byte MergeComplete = 56;

    /// <summary>Trees of merged logs whose blocks are being freed.</summary>
    public const byte MergeFreeing = 60;
}

/// <summary>Types of keys within their zone; values are on disk, never renumber (format §6.2).</summary>
public static class KeyType
{
    /// <summary>Inode index by meta_seq (zone 4).</summary>
    public const byte MetaSeq = 4;

    /// <summary>Inode index by data_seq (zone 4).</summary>
    public const byte DataSeq = 8;

    /// <summary>Orphan (zone 8).</summary>
    public const byte Orphan = 4;

    /// <summary>Quota rule (zone 10).</summary>
    public const byte QuotaRule = 4;

    /// <summary>Inode (zone 16).</summary>
    public const byte Inode = 4;

    /// <summary>Xattr part (zone 16).</summary>
    public const byte Xattr = 8;

    /// <summary>Directory entry by name hash (zone 16).</summary>
    public const byte Dirent = 12;

    /// <summary>Directory entry by position (zone 16).</summary>
    public const byte Readdir = 16;

    /// <summary>Link back reference (zone 16).</summary>
    public const byte LinkBackref = 20;

    /// <summary>Part of a symlink's target (zone 16).</summary>
    public const byte Symlink = 24;

    /// <summary>Data extent (zone 16).</summary>
    public const byte DataExtent = 28;

    /// <summary>Srch log file (zone 32).</summary>
    public const byte SrchLog = 4;

    /// <summary>Sorted srch file (zone 32).</summary>
    public const byte SrchSorted = 8;

    /// <summary>Srch compaction nobody works on (zone 32).</summary>
    public const byte SrchPending = 12;

    /// <summary>Srch compaction that a client works on (zone 32).</summary>
    public const byte SrchBusy = 16;
}
