namespace ScoutFs.Volume.Primitives;

/// <summary>Expected outcomes of calls, as values. One cause a code; texts: <see cref="FsErrorTable"/>.</summary>
/// <remarks>Front ends translate these once, at their boundary, into errno or NTSTATUS.</remarks>
public enum FsError : ushort
{
    /// <summary>Success.</summary>
    None = 0,

    /// <summary>No item, name or object of that key exists.</summary>
    NotFound,

    /// <summary>It exists already.</summary>
    Exists,

    /// <summary>A path component is not a directory.</summary>
    NotDirectory,

    /// <summary>The object is a directory and the operation needs something else.</summary>
    IsDirectory,

    /// <summary>An argument is outside its documented range.</summary>
    Invalid,

    /// <summary>The device reported an I/O error.</summary>
    Io,

    /// <summary>The request reaches past the end of the device.</summary>
    OutOfRange,

    /// <summary>A block does not match its reference: the tree was rewritten under the reader, or is damaged.</summary>
    Stale,

    /// <summary>The structure on disk breaks the format.</summary>
    Corrupt,

    /// <summary>Every block of the cache is in use.</summary>
    NoBuffers,

    /// <summary>No free blocks are left for this.</summary>
    NoSpace,

    /// <summary>The device or file does not exist.</summary>
    DeviceNotFound,

    /// <summary>The operating system denies access to the device.</summary>
    AccessDenied,

    /// <summary>Another program holds the device.</summary>
    DeviceBusy,

    /// <summary>The device is smaller than needed.</summary>
    TooSmall,

    /// <summary>The device carries another filesystem, a partition table or a scoutfs volume.</summary>
    ForeignSignature,

    /// <summary>The device was opened read-only.</summary>
    ReadOnly,

    /// <summary>The device needs transfers aligned to more than 4096 bytes, or the request was not aligned.</summary>
    Misaligned,

    /// <summary>The volume's format version, or what was asked, is not supported.</summary>
    Unsupported,

    /// <summary>The volume is mounted, or was not unmounted cleanly.</summary>
    VolumeInUse,

    /// <summary>The change is never allowed (a downgrade, say).</summary>
    NotPermitted,

    /// <summary>File contents are archived elsewhere and must be staged first.</summary>
    Offline,

    /// <summary>The caller cancelled.</summary>
    Cancelled,

    /// <summary>The mount was cut off from the volume (fenced or force-unmounted); nothing works any more.</summary>
    Isolated,

    /// <summary>A directory still has entries.</summary>
    NotEmpty,

    /// <summary>An inode has as many links as it can count.</summary>
    TooManyLinks,

    /// <summary>A name, target or path is longer than the format allows.</summary>
    NameTooLong,

    /// <summary>A quota rule forbids it.</summary>
    QuotaExceeded,

    /// <summary>The xattr does not exist.</summary>
    NoXattr,

    /// <summary>The caller's buffer is too small for the result.</summary>
    BufferTooSmall,

    /// <summary>The file would be larger than a file can be.</summary>
    FileTooLarge,

    /// <summary>It would have to wait, and the caller asked not to.</summary>
    WouldBlock,

    /// <summary>The offset lies past the end of the file, or nothing of that kind follows.</summary>
    PastEnd,

    /// <summary>A directory would become its own ancestor, or ancestors keep changing.</summary>
    Loop,

    /// <summary>A range ends past the greatest number there is, or is not of whole blocks.</summary>
    Overflow,
}
