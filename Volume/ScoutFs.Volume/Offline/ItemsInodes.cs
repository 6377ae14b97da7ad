using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>
/// Inode items: size and known bits of the value (I91), seqs (I86), number below next_ino, existence of the root and of
/// every inode that items belong to (I94). Says what index and orphan items inodes need (I97, I98).
/// </summary>
internal sealed class ItemsInodes
{
    private readonly ItemsFindings _findings;
    private readonly ItemsCrossReferences _cross;
    private readonly ItemsGroup _group;
    private readonly ulong _formatVersion;
    private readonly ulong _superSeq;
    private readonly ulong _nextIno;

    private bool _hasRoot;
    private ulong _futureSeqs;
    private string _futureSeqExample = string.Empty;
    private ulong _unissuedInos;
    private ulong _firstUnissuedIno;
    private ulong _lastUnissuedIno;

    /// <summary>Creates it for one pass.</summary>
    public ItemsInodes(
        in SuperBlock super, ItemsFindings findings, ItemsCrossReferences cross, ItemsGroup group)
    {
        _findings = findings;
        _cross = cross;
        _group = group;
        _formatVersion = super.FormatVersion;
        _superSeq = super.Seq;
        _nextIno = super.NextIno;
    }

    /// <summary>Inode items so far.</summary>
    public ulong Seen { get; private set; }

    /// <summary>An inode item.</summary>
    public void OnInode(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if ((key.Second | key.Third | key.Fourth) != 0)
            ReportKey(key);
        if (_group.HasInode)
            return;
        _group.HasInode = true;
        Seen++;
        if (key.First == FormatConstants.RootIno)
            _hasRoot = true;
        bool isSizeRight = value.Length == InodeItem.Version1Bytes
            || (value.Length == InodeItem.Version2Bytes && _formatVersion >= 2);
        if (!isSizeRight)
            ReportSize(key, value.Length);
        if (key.First >= _nextIno)
            CountUnissued(key.First);
        if (value.Length < InodeItem.Version1Bytes)
        {
            _findings.Blame(key.First, InodeBlame.Unreadable);
            return;
        }

        _group.IsReadable = true;
        _group.Inode = default;
        int bytes = Math.Min(value.Length, InodeItem.Version2Bytes);
        value[..bytes].CopyTo(Disk.MutableBytes(ref _group.Inode));
        uint knownFlags = InodeItem.FlagTruncate | (_formatVersion >= 2 ? InodeItem.FlagRetention : 0);
        if ((_group.Inode.Flags & ~knownFlags) != 0)
            ReportFlags(key);
        if (!_group.HasKnownType || _group.Inode.Mode > (FileMode.TypeMask | FileMode.PermissionMask))
            ReportMode(key);
        if (_group.Inode.MetaSeq > _superSeq || _group.Inode.DataSeq > _superSeq)
            CountFutureSeq();
    }

    /// <summary>All items of the inode have passed by.</summary>
    public void End()
    {
        if (!_group.HasInode)
        {
            SuspectMissing();
            return;
        }

        if (!_group.IsReadable)
            return;
        ulong ino = _group.Ino;
        _cross.IndexNeed(KeyType.MetaSeq, _group.Inode.MetaSeq, ino);
        if (_group.TypeBits == FileMode.Regular)
            _cross.IndexNeed(KeyType.DataSeq, _group.Inode.DataSeq, ino);
        if (_group.Inode.Nlink == 0)
            _cross.OrphanNeed(ino);
        if (ino == FormatConstants.RootIno && _group.TypeBits != FileMode.Directory && _group.HasKnownType)
            ReportRootType();
    }

    /// <summary>The pass is over.</summary>
    public void Finish()
    {
        if (_futureSeqs > 0)
        {
            string others = _futureSeqs == 1 ? string.Empty : $" The same holds for {_futureSeqs - 1} more inodes.";
            _findings.Report(
                "I86",
                "inodes",
                _futureSeqExample,
                $"The seq is greater than {_superSeq}, the greatest that the super block says was issued.{others}");
        }

        if (_unissuedInos > 0)
        {
            string inodes = _unissuedInos == 1
                ? $"inode {_firstUnissuedIno}"
                : $"{_unissuedInos} inodes from {_firstUnissuedIno} to {_lastUnissuedIno}";
            _findings.Report(
                "I94",
                "super block",
                "next_ino",
                $"The next inode number to hand out is {_nextIno}, but numbers from there on are in use: {inodes}.");
        }

        if (!_hasRoot && !_findings.HasFault(FormatConstants.RootIno, InodeBlame.Missing))
        {
            _findings.Suspect(new Suspicion(
                SuspicionKind.MissingInode,
                "I94",
                "inode 1",
                Keys.Inode(FormatConstants.RootIno).ToString(),
                "The root directory does not exist.",
                FindingSeverity.Error,
                FormatConstants.RootIno,
                Count: 1));
        }
    }

    private void SuspectMissing()
    {
        ulong ino = _group.Ino;
        _findings.Blame(ino, InodeBlame.Missing);
        string items = _group.AttachedItems == 1 ? "1 item belongs" : $"{_group.AttachedItems} items belong";
        string root = ino == FormatConstants.RootIno ? "The root directory" : "The inode";
        _findings.Suspect(new Suspicion(
            SuspicionKind.MissingInode,
            "I94",
            _group.Structure,
            Keys.Inode(ino).ToString(),
            $"{root} does not exist, but {items} to it.",
            FindingSeverity.Error,
            ino,
            Count: _group.AttachedItems));
    }

    private void ReportKey(in ItemKey key) => _findings.Report(
        "I91", _group.Structure, key.ToString(), "The inode item's key has parts that must be 0 and are not.");

    private void ReportSize(in ItemKey key, int bytes)
    {
        string expected = _formatVersion >= 2 ? "168 (or 160)" : "160";
        _findings.Report(
            "I91",
            _group.Structure,
            key.ToString(),
            $"The inode item's value has {bytes} bytes, expected {expected} in format version {_formatVersion}.");
    }

    private void ReportFlags(in ItemKey key) => _findings.Report(
        "I91",
        _group.Structure,
        key.ToString(),
        $"The inode has flags 0x{_group.Inode.Flags.Value:x}, which are not all known in format version "
        + $"{_formatVersion}.");

    private void ReportMode(in ItemKey key)
    {
        _findings.Blame(_group.Ino, InodeBlame.TypeUnclear);
        string octal = Convert.ToString(_group.Inode.Mode.Value, 8);
        _findings.Report(
            "I91",
            _group.Structure,
            key.ToString(),
            $"The mode 0{octal} is of no known file type, or has unknown bits.");
    }

    private void ReportRootType()
    {
        _findings.Blame(_group.Ino, InodeBlame.TypeUnclear);
        string type = ItemsGroup.NameOfType(ItemsGroup.TypeOf(_group.TypeBits));
        _findings.Report(
            "I94",
            _group.Structure,
            Keys.Inode(_group.Ino).ToString(),
            $"The root is a {type} by its mode, expected a directory.");
    }

    private void CountFutureSeq()
    {
        ulong ino = _group.Ino;
        bool isMeta = _group.Inode.MetaSeq > _superSeq;
        if (isMeta)
            _findings.Blame(ino, InodeBlame.MetaSeq);
        if (_group.Inode.DataSeq > _superSeq)
            _findings.Blame(ino, InodeBlame.DataSeq);
        if (_futureSeqs++ == 0)
        {
            _futureSeqExample = isMeta
                ? $"meta_seq {_group.Inode.MetaSeq} of inode {ino}"
                : $"data_seq {_group.Inode.DataSeq} of inode {ino}";
        }
    }

    private void CountUnissued(ulong ino)
    {
        if (_unissuedInos++ == 0)
            _firstUnissuedIno = ino;
        _lastUnissuedIno = ino;
    }
}
