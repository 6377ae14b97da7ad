using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Volume.Inodes;

/// <summary>One xattr of an inode, as found.</summary>
/// <param name="Id">Its id, constant while it exists.</param>
/// <param name="Hash">Hash of its name.</param>
/// <param name="NameBytes">Length of its name.</param>
/// <param name="ValueBytes">Length of its value.</param>
public readonly record struct XattrRef(ulong Id, uint Hash, int NameBytes, int ValueBytes)
{
    /// <summary>Number of parts it is stored in.</summary>
    public int Parts => Xattrs.PartsOf(NameBytes, ValueBytes);
}

/// <summary>Items of xattrs, and what their tags entail (archive §10.1–10.4).</summary>
/// <remarks>Called by attempts, with the gate held. A call that returns false ends the attempt with false.</remarks>
public static class Xattrs
{
    private static readonly int HeaderBytes = Disk.SizeOf<XattrHeader>();

    /// <summary>Checks what is to be set (archive §10.2, §10.3).</summary>
    /// <returns>None; Invalid, Unsupported, BufferTooSmall for a long name, FileTooLarge for a long value.</returns>
    public static FsError Check(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ulong formatVersion)
    {
        if (name.Length > FormatConstants.MaxNameBytes)
            return FsError.BufferTooSmall;
        if (value.Length > FormatConstants.MaxXattrValueBytes)
            return FsError.FileTooLarge;
        if (!IsKnownNamespace(name))
            return FsError.Unsupported;
        if (name.Length < XattrName.MinTaggedBytes || !name.StartsWith("scoutfs."u8))
            return FsError.None;
        return CheckTagged(name, value, formatVersion);
    }

    /// <summary>True when setting or removing it is the administrator's (archive §10.3).</summary>
    public static bool NeedsPrivilege(ReadOnlySpan<byte> name) =>
        name.StartsWith("trusted."u8) || XattrName.TagsOf(name) != XattrTags.None;

    /// <summary>Reads the tags of a name, as strictly as who sets an xattr must (archive §10.3).</summary>
    /// <returns>False without any, with one given twice, and with both totl and indx.</returns>
    public static bool TryParseTags(ReadOnlySpan<byte> name, out XattrTags tags)
    {
        tags = XattrTags.None;
        if (name.Length < XattrName.MinTaggedBytes || !name.StartsWith("scoutfs."u8))
            return false;
        for (var rest = name[8..]; rest.Length >= 5; rest = rest[5..])
        {
            var tag = TagAt(rest);
            if (tag == XattrTags.None)
                break;
            if ((tags & tag) != 0)
                return false;
            tags |= tag;
        }

        const XattrTags both = XattrTags.Totl | XattrTags.Indx;
        return tags != XattrTags.None && (tags & both) != both;
    }

    /// <summary>Parts of an xattr.</summary>
    public static int PartsOf(int nameBytes, int valueBytes) =>
        (HeaderBytes + nameBytes + valueBytes + FormatConstants.MaxValueBytes - 1) / FormatConstants.MaxValueBytes;

    /// <summary>Finds an xattr by name.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="name">Name with prefix.</param>
    /// <param name="isFound">Whether it exists.</param>
    /// <param name="xattr">The xattr.</param>
    public static bool Find(
        OperationContext context,
        in InodeHandle inode,
        ReadOnlySpan<byte> name,
        out bool isFound,
        out XattrRef xattr)
    {
        xattr = default;
        uint hash = XattrName.Hash(name);
        var from = Keys.Xattr(inode.Ino, hash, 0, 0);
        var last = Keys.Xattr(inode.Ino, hash, ulong.MaxValue, byte.MaxValue);
        while (context.Next(inode.Lock, from, last, out isFound, out var key, out var value))
        {
            if (!isFound)
                return true;
            if (TryParse(key, value, out xattr) && NameOf(value, xattr).SequenceEqual(name))
                return true;
            from = key.Next();
        }

        return false;
    }

    /// <summary>Finds the first xattr from a place on, in storage order.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="hash">Hash of the place.</param>
    /// <param name="id">Id of the place.</param>
    /// <param name="isFound">Whether there is one.</param>
    /// <param name="xattr">The xattr.</param>
    /// <param name="name">Its name, valid until the next change.</param>
    public static bool Next(
        OperationContext context,
        in InodeHandle inode,
        uint hash,
        ulong id,
        out bool isFound,
        out XattrRef xattr,
        out ReadOnlySpan<byte> name)
    {
        xattr = default;
        name = default;
        var from = Keys.Xattr(inode.Ino, hash, id, 0);
        var last = Keys.Xattr(inode.Ino, uint.MaxValue, ulong.MaxValue, byte.MaxValue);
        while (context.Next(inode.Lock, from, last, out isFound, out var key, out var value))
        {
            if (!isFound)
                return true;
            if (TryParse(key, value, out xattr))
            {
                name = NameOf(value, xattr);
                return true;
            }

            from = key.Next();
        }

        return false;
    }

    /// <summary>Reads a value; the target is as long as <see cref="XattrRef.ValueBytes"/>.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">A loaded inode.</param>
    /// <param name="xattr">A found xattr.</param>
    /// <param name="target">Receives the value.</param>
    /// <param name="error">None or Corrupt.</param>
    public static bool ReadValue(
        OperationContext context, in InodeHandle inode, in XattrRef xattr, Span<byte> target, out FsError error)
    {
        error = FsError.None;
        int skip = HeaderBytes + xattr.NameBytes;
        int done = 0;
        for (int part = 0; part < xattr.Parts; part++)
        {
            var key = Keys.Xattr(inode.Ino, xattr.Hash, xattr.Id, (byte)part);
            if (!context.Find(inode.Lock, key, out bool isFound, out var value))
                return false;
            if (!isFound || value.Length < skip || value.Length - skip > target.Length - done)
            {
                error = FsError.Corrupt;
                return true;
            }

            value[skip..].CopyTo(target[done..]);
            done += value.Length - skip;
            skip = 0;
        }

        if (done != target.Length)
            error = FsError.Corrupt;
        return true;
    }

    /// <summary>Makes sure that every part is known, so that it can be replaced or removed.</summary>
    public static bool PrepareParts(
        OperationContext context, in InodeHandle inode, in XattrRef xattr, out FsError error)
    {
        error = FsError.None;
        for (int part = 0; part < xattr.Parts; part++)
        {
            var key = Keys.Xattr(inode.Ino, xattr.Hash, xattr.Id, (byte)part);
            if (!context.Find(inode.Lock, key, out bool isFound, out _))
                return false;
            if (!isFound)
                error = FsError.Corrupt;
        }

        return true;
    }

    /// <summary>Takes the locks of the tags' zones.</summary>
    public static bool PrepareTags(OperationContext context, XattrTags tags)
    {
        return ((tags & XattrTags.Totl) == 0 || context.Lock(LockRange.Totals, LockMode.WriteOnly, out _))
            && ((tags & XattrTags.Indx) == 0 || context.Lock(LockRange.XattrIndex, LockMode.WriteOnly, out _));
    }

    /// <summary>Writes all parts; surplus parts of the present value are removed. Cannot fail.</summary>
    public static void WriteParts(
        OperationContext context,
        in InodeHandle inode,
        in XattrRef xattr,
        int presentParts,
        ReadOnlySpan<byte> name,
        ReadOnlySpan<byte> value)
    {
        ulong seq = context.ItemSeq(inode.Lock);
        Span<byte> part = stackalloc byte[FormatConstants.MaxValueBytes];
        int number = 0;
        int done = 0;
        do
        {
            int used = 0;
            if (number == 0)
            {
                Disk.Ref<XattrHeader>(part) = new XattrHeader
                {
                    ValLen = (ushort)value.Length,
                    NameLen = (byte)name.Length,
                };
                name.CopyTo(part[HeaderBytes..]);
                used = HeaderBytes + name.Length;
            }

            int length = Math.Min(part.Length - used, value.Length - done);
            value.Slice(done, length).CopyTo(part[used..]);
            done += length;
            context.Items.Put(
                Keys.Xattr(inode.Ino, xattr.Hash, xattr.Id, (byte)number), seq, part[..(used + length)]);
            number++;
        }
        while (done < value.Length || number < PartsOf(name.Length, value.Length));
        RemoveParts(context, inode, xattr, number, presentParts);
    }

    /// <summary>Removes parts that are known; cannot fail.</summary>
    public static void RemoveParts(
        OperationContext context, in InodeHandle inode, in XattrRef xattr, int from, int to)
    {
        ulong seq = context.ItemSeq(inode.Lock);
        for (int part = from; part < to; part++)
            context.Items.Remove(Keys.Xattr(inode.Ino, xattr.Hash, xattr.Id, (byte)part), seq);
    }

    /// <summary>Applies what the tags of a created, changed or removed xattr entail; cannot fail.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="inode">The inode.</param>
    /// <param name="name">Name with prefix.</param>
    /// <param name="id">Id of the xattr.</param>
    /// <param name="before">Value before; null when it did not exist.</param>
    /// <param name="after">Value from now on; null when it is removed.</param>
    public static void ApplyTags(
        OperationContext context,
        in InodeHandle inode,
        ReadOnlySpan<byte> name,
        ulong id,
        byte[]? before,
        byte[]? after)
    {
        var tags = XattrName.TagsOf(name);
        bool isToggled = before is null != (after is null);
        if ((tags & XattrTags.Srch) != 0 && isToggled)
            context.Transaction.AddSrchEntry(new SrchEntry(XattrName.SrchHash(name), inode.Ino, id));
        if ((tags & XattrTags.Totl) != 0 && XattrName.TryParseTotal(name, out ulong a, out ulong b, out ulong c))
        {
            ulong total = Number(after) - Number(before);
            ulong count = (after is null ? 0UL : 1UL) - (before is null ? 0UL : 1UL);
            bool isHeld = context.Lock(LockRange.Totals, LockMode.WriteOnly, out var totals);
            Invariant.Require(isHeld);
            if (total != 0 || count != 0)
                context.Items.AddDelta(Keys.XattrTotal(a, b, c), context.ItemSeq(totals, inode.Lock), total, count);
        }

        if ((tags & XattrTags.Indx) != 0 && isToggled && XattrName.TryParseIndex(name, out byte major, out ulong minor))
        {
            bool isHeld = context.Lock(LockRange.XattrIndex, LockMode.WriteOnly, out var index);
            Invariant.Require(isHeld);
            var key = Keys.XattrIndex(major, minor, inode.Ino, id);
            ulong seq = context.ItemSeq(index, inode.Lock);
            if (after is null)
                context.Items.ForceRemove(key, seq);
            else
                context.Items.ForcePut(key, seq, default);
        }
    }

    private static ulong Number(byte[]? value)
    {
        ulong number = 0;
        _ = value is not null && XattrName.TryParseNumber(value, out number);
        return number;
    }

    // Of a first part; others have no header.
    private static bool TryParse(in ItemKey key, ReadOnlySpan<byte> value, out XattrRef xattr)
    {
        xattr = default;
        if (key.Fourth != 0 || value.Length < HeaderBytes)
            return false;
        ref readonly var header = ref Disk.Ref<XattrHeader>(value);
        xattr = new XattrRef(key.Third, (uint)key.Second.Value, header.NameLen, header.ValLen);
        return value.Length >= HeaderBytes + header.NameLen;
    }

    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> value, scoped in XattrRef xattr) =>
        value.Slice(HeaderBytes, xattr.NameBytes);

    private static bool IsKnownNamespace(ReadOnlySpan<byte> name) =>
        (name.StartsWith("user."u8) && name.Length > 5)
        || (name.StartsWith("trusted."u8) && name.Length > 8)
        || (name.StartsWith("security."u8) && name.Length > 9)
        || (name.StartsWith("scoutfs."u8) && name.Length > 8)
        || name.SequenceEqual("system.posix_acl_access"u8)
        || name.SequenceEqual("system.posix_acl_default"u8);

    private static FsError CheckTagged(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ulong formatVersion)
    {
        if (!TryParseTags(name, out var tags))
            return FsError.Invalid;
        if ((tags & XattrTags.Totl) != 0
            && !(XattrName.TryParseTotal(name, out _, out _, out _) && XattrName.TryParseNumber(value, out _)))
        {
            return FsError.Invalid;
        }

        if ((tags & XattrTags.Indx) == 0)
            return FsError.None;
        if (formatVersion < 2)
            return FsError.Unsupported;
        return value.IsEmpty && XattrName.TryParseIndex(name, out _, out _) ? FsError.None : FsError.Invalid;
    }

    private static XattrTags TagAt(ReadOnlySpan<byte> rest)
    {
        if (rest.StartsWith("hide."u8))
            return XattrTags.Hide;
        if (rest.StartsWith("indx."u8))
            return XattrTags.Indx;
        if (rest.StartsWith("srch."u8))
            return XattrTags.Srch;
        return rest.StartsWith("totl."u8) ? XattrTags.Totl : XattrTags.None;
    }
}
