using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Inodes;

/// <summary>One entry of a POSIX ACL as stored in an xattr (format §10.5).</summary>
[OnDisk(8)]
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Pack = 1)]
public struct PosixAclEntry
{
    /// <summary>Owner of the file.</summary>
    public const ushort TagUserObj = 1;

    /// <summary>A user, by id.</summary>
    public const ushort TagUser = 2;

    /// <summary>Group of the file.</summary>
    public const ushort TagGroupObj = 4;

    /// <summary>A group, by id.</summary>
    public const ushort TagGroup = 8;

    /// <summary>Most that users, groups and the file's group get.</summary>
    public const ushort TagMask = 16;

    /// <summary>Everybody else.</summary>
    public const ushort TagOther = 32;

    /// <summary>One of the tags.</summary>
    [At(0)]
    public Le16 Tag;

    /// <summary>Permission bits, 0..7.</summary>
    [At(2)]
    public Le16 Perm;

    /// <summary>User or group id, where the tag has one.</summary>
    [At(4)]
    public Le32 Id;
}

/// <summary>POSIX ACLs in their xattr form: version 2, then entries of 8 bytes (archive §10.6).</summary>
/// <remarks>Pure functions, any thread.</remarks>
public static class PosixAcl
{
    private const int HeaderBytes = 4;
    private const uint Version = 2;
    private const int EntryBytes = 8;

    /// <summary>Name of the xattr that holds a file's ACL.</summary>
    public static ReadOnlySpan<byte> AccessName => "system.posix_acl_access"u8;

    /// <summary>Name of the xattr that holds what a directory's new files get.</summary>
    public static ReadOnlySpan<byte> DefaultName => "system.posix_acl_default"u8;

    /// <summary>True for a well-formed ACL with the entries that every ACL has, in their order.</summary>
    public static bool IsValid(ReadOnlySpan<byte> acl)
    {
        if (acl.Length < HeaderBytes || (acl.Length - HeaderBytes) % EntryBytes != 0
            || Disk.Ref<Le32>(acl) != Version)
        {
            return false;
        }

        int last = 0;
        int seen = 0;
        foreach (ref readonly var entry in Entries(acl))
        {
            int tag = entry.Tag;
            bool isMany = tag is PosixAclEntry.TagUser or PosixAclEntry.TagGroup;
            bool isTag = tag is > 0 and <= PosixAclEntry.TagOther && (tag & (tag - 1)) == 0;
            if (!isTag || tag < last || (tag == last && !isMany) || entry.Perm > 7)
                return false;
            last = tag;
            seen |= tag;
        }

        const int Always = PosixAclEntry.TagUserObj | PosixAclEntry.TagGroupObj | PosixAclEntry.TagOther;
        bool needsMask = (seen & (PosixAclEntry.TagUser | PosixAclEntry.TagGroup)) != 0;
        return (seen & Always) == Always && (!needsMask || (seen & PosixAclEntry.TagMask) != 0);
    }

    /// <summary>True when the permission bits alone say the same.</summary>
    public static bool IsTrivial(ReadOnlySpan<byte> acl) => Entries(acl).Length == 3;

    /// <summary>A mode with the permission bits of a valid ACL; the group's are the mask, where there is one.</summary>
    public static uint ToMode(ReadOnlySpan<byte> acl, uint mode)
    {
        uint permissions = 0;
        bool hasMask = false;
        foreach (ref readonly var entry in Entries(acl))
        {
            switch (entry.Tag.Value)
            {
                case PosixAclEntry.TagUserObj:
                    permissions |= (uint)entry.Perm.Value << 6;
                    break;
                case PosixAclEntry.TagGroupObj when !hasMask:
                    permissions |= (uint)entry.Perm.Value << 3;
                    break;
                case PosixAclEntry.TagMask:
                    hasMask = true;
                    permissions = (permissions & ~0x38U) | ((uint)entry.Perm.Value << 3);
                    break;
                case PosixAclEntry.TagOther:
                    permissions |= entry.Perm.Value;
                    break;
            }
        }

        return (mode & ~0x1ffU) | permissions;
    }

    /// <summary>Changes a valid ACL as chmod does.</summary>
    public static void Chmod(Span<byte> acl, uint mode)
    {
        bool hasMask = Has(acl, PosixAclEntry.TagMask);
        foreach (ref var entry in MutableEntries(acl))
        {
            switch (entry.Tag.Value)
            {
                case PosixAclEntry.TagUserObj:
                    entry.Perm = (ushort)((mode >> 6) & 7);
                    break;
                case PosixAclEntry.TagMask:
                case PosixAclEntry.TagGroupObj when !hasMask:
                    entry.Perm = (ushort)((mode >> 3) & 7);
                    break;
                case PosixAclEntry.TagOther:
                    entry.Perm = (ushort)(mode & 7);
                    break;
            }
        }
    }

    /// <summary>Makes a directory's default ACL the ACL of a new file: what the mode does not ask for goes.</summary>
    /// <param name="acl">A copy of a valid default ACL; becomes the file's.</param>
    /// <param name="mode">Mode asked for, without a umask.</param>
    /// <returns>The file's mode.</returns>
    public static uint Inherit(Span<byte> acl, uint mode)
    {
        bool hasMask = Has(acl, PosixAclEntry.TagMask);
        foreach (ref var entry in MutableEntries(acl))
        {
            switch (entry.Tag.Value)
            {
                case PosixAclEntry.TagUserObj:
                    entry.Perm = (ushort)(entry.Perm & (mode >> 6));
                    break;
                case PosixAclEntry.TagMask:
                case PosixAclEntry.TagGroupObj when !hasMask:
                    entry.Perm = (ushort)(entry.Perm & (mode >> 3));
                    break;
                case PosixAclEntry.TagOther:
                    entry.Perm = (ushort)(entry.Perm & mode);
                    break;
            }
        }

        return ToMode(acl, mode);
    }

    private static bool Has(ReadOnlySpan<byte> acl, ushort tag)
    {
        foreach (ref readonly var entry in Entries(acl))
        {
            if (entry.Tag == tag)
                return true;
        }

        return false;
    }

    private static ReadOnlySpan<PosixAclEntry> Entries(ReadOnlySpan<byte> acl) =>
        Disk.Slice<PosixAclEntry>(acl, HeaderBytes, (acl.Length - HeaderBytes) / EntryBytes);

    private static Span<PosixAclEntry> MutableEntries(Span<byte> acl) =>
        Disk.Slice<PosixAclEntry>(acl, HeaderBytes, (acl.Length - HeaderBytes) / EntryBytes);
}
