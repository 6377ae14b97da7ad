using System.Collections.Frozen;
using System.Collections.Generic;

namespace ScoutFs.Volume.Primitives;

/// <summary>The class a code belongs to, which decides how loudly it is reported.</summary>
public enum FsErrorClass
{
    /// <summary>No error.</summary>
    Success,

    /// <summary>The caller asked for something that cannot be.</summary>
    Request,

    /// <summary>The machine, device or another program is in the way.</summary>
    Environment,

    /// <summary>The volume itself is damaged.</summary>
    Corruption,
}

/// <summary>Class and text of every <see cref="FsError"/>; total, which a test proves.</summary>
public static class FsErrorTable
{
    private static readonly FrozenDictionary<FsError, (FsErrorClass Class, string Text)> Table =
        new Dictionary<FsError, (FsErrorClass, string)>
        {
            [FsError.None] = (FsErrorClass.Success, "success"),
            [FsError.NotFound] = (FsErrorClass.Request, "no such file, directory or item"),
            [FsError.Exists] = (FsErrorClass.Request, "it exists already"),
            [FsError.NotDirectory] = (FsErrorClass.Request, "not a directory"),
            [FsError.IsDirectory] = (FsErrorClass.Request, "is a directory"),
            [FsError.Invalid] = (FsErrorClass.Request, "invalid argument"),
            [FsError.Io] = (FsErrorClass.Environment, "input/output error on the device"),
            [FsError.OutOfRange] = (FsErrorClass.Corruption, "beyond the end of the device"),
            [FsError.Stale] = (FsErrorClass.Corruption, "block does not match its reference"),
            [FsError.Corrupt] = (FsErrorClass.Corruption, "the volume is damaged"),
            [FsError.NoBuffers] = (FsErrorClass.Environment, "the block cache is too small for this operation"),
            [FsError.NoSpace] = (FsErrorClass.Request, "no space left on the volume"),
            [FsError.DeviceNotFound] = (FsErrorClass.Environment, "no such device or file"),
            [FsError.AccessDenied] = (FsErrorClass.Environment, "permission denied"),
            [FsError.DeviceBusy] = (FsErrorClass.Environment, "device is in use by another program"),
            [FsError.TooSmall] = (FsErrorClass.Request, "device is too small"),
            [FsError.ForeignSignature] = (FsErrorClass.Request, "device already holds data"),
            [FsError.ReadOnly] = (FsErrorClass.Request, "device was opened read-only"),
            [FsError.Misaligned] = (FsErrorClass.Environment, "transfer is not aligned as the device needs it"),
            [FsError.Unsupported] = (FsErrorClass.Request, "not supported"),
            [FsError.VolumeInUse] = (FsErrorClass.Request, "volume is in use or needs recovery"),
            [FsError.NotPermitted] = (FsErrorClass.Request, "operation not permitted"),
            [FsError.Offline] = (FsErrorClass.Request, "file contents are offline"),
            [FsError.Cancelled] = (FsErrorClass.Request, "cancelled"),
            [FsError.Isolated] = (FsErrorClass.Environment, "this mount was cut off from the volume"),
            [FsError.NotEmpty] = (FsErrorClass.Request, "directory is not empty"),
            [FsError.TooManyLinks] = (FsErrorClass.Request, "too many links"),
            [FsError.NameTooLong] = (FsErrorClass.Request, "name is too long"),
            [FsError.QuotaExceeded] = (FsErrorClass.Request, "quota exceeded"),
            [FsError.NoXattr] = (FsErrorClass.Request, "no such extended attribute"),
            [FsError.BufferTooSmall] = (FsErrorClass.Request, "the result does not fit the buffer"),
            [FsError.FileTooLarge] = (FsErrorClass.Request, "file too large"),
            [FsError.WouldBlock] = (FsErrorClass.Request, "it would have to wait"),
            [FsError.PastEnd] = (FsErrorClass.Request, "nothing there up to the end of the file"),
            [FsError.Loop] = (FsErrorClass.Request, "a directory would contain itself"),
            [FsError.Overflow] = (FsErrorClass.Request, "the range is not of whole blocks, or ends too far"),
        }.ToFrozenDictionary();

    /// <summary>The class of a code.</summary>
    public static FsErrorClass ClassOf(FsError error) => Table[error].Class;

    /// <summary>A short English text, lower case, without a full stop, to be embedded in a sentence.</summary>
    public static string TextOf(FsError error) => Table[error].Text;
}
