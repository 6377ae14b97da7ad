using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Directory entries: values (I92), unique names and types (I93), directory size, link counts and next_readdir_pos
/// (I94). Passes the three items of each entry on to be compared (I93).
/// </summary>
/// <remarks>
/// Sizes and counts are taken from dirents and from readdir items apart. Where they differ an item is wrong, which the
/// comparison finds, so only what contradicts both is reported here.
/// </remarks>
internal sealed class ItemsDirectories
{
    private const int HeaderBytes = 32;

    /// <summary>
    /// Names with equal hashes that are compared with each other. Hashes of 64 bits do not collide this often by
    /// themselves; a volume made to do so is checked against the first names of each hash only.
    /// </summary>
    private const int MaxEqualHashes = 64;

    private readonly ItemsFindings _findings;
    private readonly ItemsCrossReferences _cross;
    private readonly ItemsGroup _group;

    private readonly byte[] _names = new byte[MaxEqualHashes * FormatConstants.MaxNameBytes];
    private readonly int[] _nameEnds = new int[MaxEqualHashes];
    private readonly ulong[] _namePositions = new ulong[MaxEqualHashes];
    private int _nameCount;
    private ulong _namesHash;

    private EntryCount _byName;
    private EntryCount _byPos;
    private ulong _backrefs;
    private ulong _typedBackrefs;
    private ulong _otherTypeBackrefs;
    private byte _otherType;
    private ulong _otherTypeDir;
    private ulong _otherTypePos;

    /// <summary>Creates it for one pass.</summary>
    public ItemsDirectories(ItemsFindings findings, ItemsCrossReferences cross, ItemsGroup group)
    {
        _findings = findings;
        _cross = cross;
        _group = group;
    }

    /// <summary>Starts with another inode.</summary>
    public void Begin()
    {
        _nameCount = 0;
        _byName = default;
        _byPos = default;
        _backrefs = 0;
        _typedBackrefs = 0;
        _otherTypeBackrefs = 0;
    }

    /// <summary>An entry by name hash.</summary>
    public void OnDirent(in ItemKey key, ReadOnlySpan<byte> value)
    {
        var defects = key.Fourth == 0 ? EntryDefects.None : EntryDefects.KeyRest;
        ulong pos = key.Third;
        if (pos is < 2 or ulong.MaxValue)
            defects |= EntryDefects.PosRange;
        if (!IsLengthRight(key, value))
        {
            _byName.AddUnreadable();
            defects |= EntryDefects.ValueLength;
            _cross.EntryItem(EntryItemKind.Dirent, new(key.First, pos, 0, key.Second), defects, value);
            return;
        }

        ref readonly var header = ref Disk.Ref<DirentHeader>(value);
        var name = value[HeaderBytes..];
        if (header.Hash != key.Second)
            defects |= EntryDefects.KeyHash;
        if (header.Pos != pos)
            defects |= EntryDefects.KeyPos;
        if (header.Hash != NameHash.Compute(name))
            defects |= EntryDefects.NameHash;
        if (!IsNameAllowed(name))
            defects |= EntryDefects.NameNotAllowed;
        CheckUnique(key, name);
        _byName.Add(pos, header.Type, name.Length);
        _cross.EntryItem(EntryItemKind.Dirent, new(key.First, pos, header.Ino, key.Second), defects, value);
    }

    /// <summary>An entry by position.</summary>
    public void OnReaddir(in ItemKey key, ReadOnlySpan<byte> value)
    {
        var defects = key.Third == 0 && key.Fourth == 0 ? EntryDefects.None : EntryDefects.KeyRest;
        ulong pos = key.Second;
        if (!IsLengthRight(key, value))
        {
            _byPos.AddUnreadable();
            _cross.EntryItem(EntryItemKind.Readdir, new(key.First, pos, 0), defects | EntryDefects.ValueLength, value);
            return;
        }

        ref readonly var header = ref Disk.Ref<DirentHeader>(value);
        if (header.Pos != pos)
            defects |= EntryDefects.KeyPos;
        _byPos.Add(pos, header.Type, value.Length - HeaderBytes);
        _cross.EntryItem(EntryItemKind.Readdir, new(key.First, pos, header.Ino), defects, value);
    }

    /// <summary>A back reference to an entry.</summary>
    public void OnBackref(in ItemKey key, ReadOnlySpan<byte> value)
    {
        _backrefs++;
        var place = new EntryPlace(key.Second, key.Third, key.First);
        var defects = key.Fourth == 0 ? EntryDefects.None : EntryDefects.KeyRest;
        if (!IsLengthRight(key, value))
        {
            defects |= EntryDefects.ValueLength;
            _cross.EntryItem(EntryItemKind.Backref, place, defects, value);
            return;
        }

        ref readonly var header = ref Disk.Ref<DirentHeader>(value);
        if (header.Pos != key.Third)
            defects |= EntryDefects.KeyPos;
        _typedBackrefs++;
        if (header.Type != ItemsGroup.TypeOf(_group.TypeBits) && _otherTypeBackrefs++ == 0)
        {
            _otherType = header.Type;
            _otherTypeDir = key.Second;
            _otherTypePos = key.Third;
        }

        _cross.EntryItem(EntryItemKind.Backref, place, defects, value);
    }

    /// <summary>All items of the inode have passed by.</summary>
    /// <param name="hasExtents">Whether the inode has data extents.</param>
    public void End(bool hasExtents)
    {
        if (!_group.IsReadable)
            return;
        if (_group.HasKnownType && _otherTypeBackrefs > 0)
            SuspectType();
        bool isUnclear = _findings.HasFault(_group.Ino, InodeBlame.TypeUnclear);
        bool isDirectory = _group.TypeBits == FileMode.Directory;
        bool isEmpty = _byName.Items + _byPos.Items == 0;
        var links = new ItemsLinks(
            _group.Inode.Nlink,
            _backrefs,
            _byName.Subdirs,
            _byPos.Subdirs,
            isDirectory,
            isUnclear,
            _group.Ino == FormatConstants.RootIno,
            isEmpty,
            isEmpty && !hasExtents && (_group.Inode.Size == 0 || _group.TypeBits == FileMode.Symlink));
        if (links.Judge() != LinksVerdict.Right)
            SuspectLinks(links);
        if (isUnclear)
            return;
        if (!isDirectory)
        {
            if (!isEmpty)
                SuspectNotDirectory();
            return;
        }

        ulong size = _group.Inode.Size;
        if (size != _byName.NameBytes && size != _byPos.NameBytes)
            SuspectSize();
        ulong nextPos = _group.Inode.NextReaddirPos;
        ulong maxPos = Math.Max(Math.Min(_byName.MaxPos, _byPos.MaxPos), 1);
        if (nextPos <= maxPos)
            ReportNextPos(maxPos);
    }

    private static bool IsNameAllowed(ReadOnlySpan<byte> name) =>
        !name.ContainsAny((byte)0, (byte)'/') && !name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8);

    private static string Quote(ReadOnlySpan<byte> name) => $"\"{NameText.Printable(name)}\"";

    private bool IsLengthRight(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if (value.Length is <= HeaderBytes or > HeaderBytes + FormatConstants.MaxNameBytes)
        {
            ReportLength(key, value.Length);
            return false;
        }

        ref readonly var pad = ref Disk.Ref<DirentHeader>(value).Pad;
        if ((pad[0] | pad[1] | pad[2] | pad[3] | pad[4] | pad[5] | pad[6]) != 0)
            ReportPad(key, value);
        return true;
    }

    // Dirents of one directory come in the order of their hashes, so equal names are among equal hashes.
    private void CheckUnique(in ItemKey key, ReadOnlySpan<byte> name)
    {
        if (_nameCount == 0 || key.Second != _namesHash)
        {
            _nameCount = 0;
            _namesHash = key.Second;
        }

        int start = 0;
        for (int i = 0; i < _nameCount; i++)
        {
            if (name.SequenceEqual(_names.AsSpan(start, _nameEnds[i] - start)))
                ReportTwice(key, name, _namePositions[i]);
            start = _nameEnds[i];
        }

        if (_nameCount == MaxEqualHashes)
            return;
        name.CopyTo(_names.AsSpan(start));
        _nameEnds[_nameCount] = start + name.Length;
        _namePositions[_nameCount++] = key.Third;
    }

    private void ReportLength(in ItemKey key, int bytes) => _findings.Report(
        "I92",
        _group.Structure,
        key.ToString(),
        $"The value of the directory entry has {bytes} bytes, expected 33 to 287: 32 and a name of 1 to 255 bytes.");

    private void ReportPad(in ItemKey key, ReadOnlySpan<byte> value) => _findings.Report(
        "I92",
        _group.Structure,
        key.ToString(),
        $"The unused bytes of the directory entry {Quote(value[HeaderBytes..])} are not zero.",
        FindingSeverity.Warning);

    private void ReportTwice(in ItemKey key, ReadOnlySpan<byte> name, ulong pos) => _findings.Report(
        "I93",
        _group.Structure,
        key.ToString(),
        $"The directory has two entries named {Quote(name)}, at positions {pos} and {key.Third}.");

    private void SuspectType()
    {
        ulong ino = _group.Ino;
        if (_otherTypeBackrefs == _typedBackrefs)
            _findings.Blame(ino, InodeBlame.TypeUnclear);
        string byMode = ItemsGroup.NameOfType(ItemsGroup.TypeOf(_group.TypeBits));
        string others = _otherTypeBackrefs == 1 ? string.Empty : $" So do {_otherTypeBackrefs - 1} more entries.";
        _findings.Suspect(new Suspicion(
            SuspicionKind.EntryType,
            "I93",
            _group.Structure,
            Keys.LinkBackref(ino, _otherTypeDir, _otherTypePos).ToString(),
            $"The inode is a {byMode} by its mode, but the entry at position {_otherTypePos} of directory "
            + $"{_otherTypeDir} says {ItemsGroup.NameOfType(_otherType)}.{others}",
            FindingSeverity.Error,
            ino,
            _otherTypeDir,
            _otherTypePos,
            _otherTypeBackrefs));
    }

    private void SuspectLinks(in ItemsLinks links) => _findings.Suspect(new Suspicion(
        SuspicionKind.Links,
        "I94",
        _group.Structure,
        "nlink",
        null,
        FindingSeverity.Error,
        _group.Ino,
        Links: links));

    private void SuspectNotDirectory()
    {
        ulong items = _byName.Items + _byPos.Items;
        string type = ItemsGroup.NameOfType(ItemsGroup.TypeOf(_group.TypeBits));
        _findings.Suspect(new Suspicion(
            SuspicionKind.NotDirectory,
            "I94",
            _group.Structure,
            "directory entries",
            $"The inode is a {type}, but has {items} items of directory entries.",
            FindingSeverity.Error,
            _group.Ino,
            Count: items));
    }

    private void SuspectSize()
    {
        string expected = _byName.NameBytes == _byPos.NameBytes
            ? $"{_byName.NameBytes}"
            : $"{_byName.NameBytes} by dirents or {_byPos.NameBytes} by readdir items";
        _findings.Suspect(
            "I94",
            _group.Structure,
            "size",
            $"The size of the directory is {_group.Inode.Size}, but the names of its entries have {expected} bytes.");
    }

    private void ReportNextPos(ulong maxPos) => _findings.Report(
        "I94",
        _group.Structure,
        "next_readdir_pos",
        $"The next position to hand out is {_group.Inode.NextReaddirPos}, but positions up to {maxPos} are in use.");

    /// <summary>What one kind of items says about a directory.</summary>
    private struct EntryCount
    {
        public ulong Items;
        public ulong NameBytes;
        public ulong Subdirs;
        public ulong MaxPos;

        public void Add(ulong pos, byte type, int nameBytes)
        {
            Items++;
            NameBytes += (ulong)nameBytes;
            if (type == (byte)DirentType.Directory)
                Subdirs++;
            if (pos > MaxPos)
                MaxPos = pos;
        }

        public void AddUnreadable() => Items++;
    }
}
