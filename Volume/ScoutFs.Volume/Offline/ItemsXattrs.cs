using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Xattrs: parts dense and of exact sizes, name hash, id (I101). Says what totals, index items and srch entries the
/// tags in names ask for (I90, I95, I79).
/// </summary>
/// <remarks>The name and all of a value that matters here lie in the first part, so only sizes are kept.</remarks>
internal sealed class ItemsXattrs
{
    private const int PartBytes = FormatConstants.MaxValueBytes;

    private readonly ItemsFindings _findings;
    private readonly ItemsCrossReferences _cross;
    private readonly ItemsGroup _group;
    private readonly byte[] _lastName = new byte[byte.MaxValue];

    // The xattr whose parts are passing by.
    private bool _isOpen;
    private bool _isFaulty;
    private ulong _nameHash;
    private ulong _id;
    private int _nextPart;
    private int _totalBytes;

    // Name of the last xattr of the inode with a good first part, and its hash.
    private int _lastNameBytes;
    private ulong _lastNameHash;

    // Ids that the inode has not handed out yet.
    private ulong _unissuedIds;
    private ulong _firstUnissuedId;

    /// <summary>Creates it for one pass.</summary>
    public ItemsXattrs(ItemsFindings findings, ItemsCrossReferences cross, ItemsGroup group)
    {
        _findings = findings;
        _cross = cross;
        _group = group;
    }

    private int CountParts => (_totalBytes + PartBytes - 1) / PartBytes;

    /// <summary>Starts with another inode.</summary>
    public void Begin()
    {
        _lastNameBytes = 0;
        _unissuedIds = 0;
    }

    /// <summary>A part of an xattr.</summary>
    public void OnPart(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (!_isOpen || key.Second != _nameHash || key.Third != _id)
        {
            Close();
            Open(key);
        }

        if (_isFaulty)
            return;
        int part = key.Fourth;
        if (part != _nextPart)
        {
            SuspectMissingPart(key, part);
            return;
        }

        if (part == 0 && !OnFirstPart(key, value))
            return;
        int expected = Math.Min(PartBytes, _totalBytes - (part * PartBytes));
        if (expected <= 0)
        {
            ReportPart(key, $"Part {part} is too many: {_totalBytes} bytes need {CountParts} parts.");
            return;
        }

        if (value.Length != expected)
        {
            ReportPart(
                key,
                $"Part {part} has {value.Length} bytes, expected {expected} of the {_totalBytes} bytes of header, name "
                + "and value.");
            return;
        }

        _nextPart++;
    }

    /// <summary>All xattrs of the inode have passed by.</summary>
    public void End()
    {
        Close();
        if (_unissuedIds == 0)
            return;
        string others = _unissuedIds == 1 ? string.Empty : $", as have {_unissuedIds - 1} more";
        _findings.Report(
            "I101",
            _group.Structure,
            "next_xattr_id",
            $"The next xattr id to hand out is {_group.Inode.NextXattrId}, but an xattr has id {_firstUnissuedId}"
            + $"{others}.");
    }

    private static string Quote(ReadOnlySpan<byte> name) => $"\"{NameText.Printable(name)}\"";

    private void Open(in ItemKey key)
    {
        _isOpen = true;
        _isFaulty = false;
        _nameHash = key.Second;
        _id = key.Third;
        _nextPart = 0;
        _totalBytes = 0;
        if (_group.IsReadable && _id >= _group.Inode.NextXattrId && _unissuedIds++ == 0)
            _firstUnissuedId = _id;
    }

    private void Close()
    {
        if (_isOpen && !_isFaulty && _nextPart < CountParts)
            SuspectEarlyEnd();
        _isOpen = false;
    }

    /// <summary>Reads header and name.</summary>
    /// <returns>False when they make no sense, so that nothing is known about the other parts.</returns>
    private bool OnFirstPart(in ItemKey key, ReadOnlySpan<byte> value)
    {
        int headerBytes = Disk.SizeOf<XattrHeader>();
        if (value.Length < headerBytes)
        {
            ReportUnreadable(key, $"The first part has {value.Length} bytes, too few for the header.");
            return false;
        }

        ref readonly var header = ref Disk.Ref<XattrHeader>(value);
        int nameBytes = header.NameLen;
        _totalBytes = headerBytes + nameBytes + header.ValLen;
        if (nameBytes == 0 || value.Length != Math.Min(PartBytes, _totalBytes))
        {
            ReportUnreadable(
                key,
                $"The first part has {value.Length} bytes, but its header says {nameBytes} bytes of name and "
                + $"{header.ValLen} of value.");
            return false;
        }

        var name = value.Slice(headerBytes, nameBytes);
        if (XattrName.Hash(name) != _nameHash)
        {
            ReportUnreadable(
                key,
                $"The hash of the name {Quote(name)} is {XattrName.Hash(name):x8}, but the key has {_nameHash:x8}.");
            return false;
        }

        if ((header.Pad[0] | header.Pad[1] | header.Pad[2] | header.Pad[3] | header.Pad[4]) != 0)
            ReportPad(key, name);
        if (_lastNameBytes > 0 && _lastNameHash == _nameHash && name.SequenceEqual(_lastName.AsSpan(0, _lastNameBytes)))
            ReportTwice(key, name);
        name.CopyTo(_lastName);
        _lastNameBytes = nameBytes;
        _lastNameHash = _nameHash;
        var tags = XattrName.TagsOf(name);
        if (tags != XattrTags.None)
            OnTags(key, tags, name, value[(headerBytes + nameBytes)..], header.ValLen);
        return true;
    }

    private void OnTags(
        in ItemKey key, XattrTags tags, ReadOnlySpan<byte> name, ReadOnlySpan<byte> valueStart, int valueBytes)
    {
        ulong ino = _group.Ino;
        if ((tags & XattrTags.Srch) != 0)
            _cross.SrchNeed(new SrchEntry(XattrName.SrchHash(name), ino, _id));
        if ((tags & XattrTags.Totl) != 0)
        {
            // A value that short is whole in the first part, whatever the length of the name.
            bool isShort = valueBytes <= XattrName.MaxNumberBytes;
            if (isShort && XattrName.TryParseTotal(name, out ulong a, out ulong b, out ulong c)
                && XattrName.TryParseNumber(valueStart, out ulong number))
            {
                _cross.TotalNeed(a, b, c, number);
            }
            else
            {
                ReportTag(key, "I90", name, "is tagged totl, but name or value do not hold the numbers that takes.");
            }
        }

        if ((tags & XattrTags.Indx) != 0)
        {
            if (XattrName.TryParseIndex(name, out byte major, out ulong minor))
                _cross.XattrIndexNeed(major, minor, ino, _id);
            else
                ReportTag(key, "I95", name, "is tagged indx, but does not end in two numbers, the first up to 255.");
            if (valueBytes != 0)
                ReportIndexValue(key, name, valueBytes);
        }
    }

    private void SuspectMissingPart(in ItemKey key, int part)
    {
        _isFaulty = true;
        if (_nextPart == 0)
        {
            _findings.BlameXattr(_group.Ino);

            // An unlinked inode loses its xattrs one item a transaction, so a crash may leave later parts behind, which
            // the next mount deletes. What the tags asked for went with the first part.
            if (_group.IsUnlinked)
                return;
        }

        _findings.Suspect(
            "I101",
            _group.Structure,
            key.ToString(),
            $"Part {_nextPart} of the xattr is missing, part {part} is there.");
    }

    private void SuspectEarlyEnd() => _findings.Suspect(
        "I101",
        _group.Structure,
        Keys.Xattr(_group.Ino, (uint)_nameHash, _id, (byte)_nextPart).ToString(),
        $"Part {_nextPart} of the xattr is missing: its {_totalBytes} bytes need {CountParts} parts.");

    private void ReportUnreadable(in ItemKey key, string what)
    {
        _isFaulty = true;
        _findings.BlameXattr(_group.Ino);
        _findings.Report("I101", _group.Structure, key.ToString(), what);
    }

    private void ReportPart(in ItemKey key, string what)
    {
        _isFaulty = true;
        _findings.Report("I101", _group.Structure, key.ToString(), what);
    }

    private void ReportPad(in ItemKey key, ReadOnlySpan<byte> name) => _findings.Report(
        "I101",
        _group.Structure,
        key.ToString(),
        $"The unused bytes of the header of xattr {Quote(name)} are not zero.",
        FindingSeverity.Warning);

    private void ReportTwice(in ItemKey key, ReadOnlySpan<byte> name) => _findings.Report(
        "I101", _group.Structure, key.ToString(), $"The inode has two xattrs named {Quote(name)}.");

    private void ReportTag(in ItemKey key, string invariant, ReadOnlySpan<byte> name, string what)
    {
        _findings.BlameXattr(_group.Ino);
        _findings.Report(invariant, _group.Structure, key.ToString(), $"The xattr {Quote(name)} {what}");
    }

    private void ReportIndexValue(in ItemKey key, ReadOnlySpan<byte> name, int valueBytes) => _findings.Report(
        "I95",
        _group.Structure,
        key.ToString(),
        $"The xattr {Quote(name)} is tagged indx and has a value of {valueBytes} bytes, expected none.");
}
