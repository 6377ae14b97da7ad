using System;
using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>Symlink targets: parts dense and of exact sizes, size of the inode, one NUL at the end (I100).</summary>
internal sealed class ItemsSymlinks
{
    private const int PartBytes = FormatConstants.MaxValueBytes;

    private readonly ItemsFindings _findings;
    private readonly ItemsGroup _group;

    private ulong _parts;
    private ulong _bytes;
    private ulong _nulBytes;
    private bool _endsInNul;
    private ulong _missingPart;
    private ulong _wrongPart;
    private int _wrongPartBytes;

    /// <summary>Creates it for one pass.</summary>
    public ItemsSymlinks(ItemsFindings findings, ItemsGroup group)
    {
        _findings = findings;
        _group = group;
    }

    /// <summary>Starts with another inode.</summary>
    public void Begin()
    {
        _parts = 0;
        _bytes = 0;
        _nulBytes = 0;
        _endsInNul = false;
        _missingPart = ulong.MaxValue;
        _wrongPart = ulong.MaxValue;
    }

    /// <summary>A part of the target.</summary>
    public void OnPart(in ItemKey key, ReadOnlySpan<byte> value)
    {
        if ((key.Third | key.Fourth) != 0)
            ReportKey(key);
        if (key.Second != _parts && _missingPart == ulong.MaxValue)
            _missingPart = _parts;
        _parts++;
        _bytes += (ulong)value.Length;
        _nulBytes += (ulong)value.Count((byte)0);
        _endsInNul = value.Length > 0 && value[^1] == 0;
        if (_wrongPart == ulong.MaxValue && _group.IsReadable && key.Second <= _group.Inode.Size / PartBytes
            && (ulong)value.Length != PartSize(key.Second))
        {
            _wrongPart = key.Second;
            _wrongPartBytes = value.Length;
        }
    }

    /// <summary>All items of the inode have passed by.</summary>
    public void End()
    {
        if (!_group.IsReadable || _findings.HasFault(_group.Ino, InodeBlame.TypeUnclear))
            return;
        if (_group.TypeBits != FileMode.Symlink)
        {
            if (_parts > 0)
                ReportNoSymlink();
            return;
        }

        ulong size = _group.Inode.Size;
        ulong needed = (size / PartBytes) + (size % PartBytes == 0 ? 0u : 1u);
        if (size is 0 or > FormatConstants.MaxSymlinkBytes)
            Report("size", $"The size is {size}, expected 1 to {FormatConstants.MaxSymlinkBytes} bytes for a symlink.");
        else if (_parts < needed)
            SuspectMissingPart(Math.Min(_missingPart, _parts), needed);
        else if (_wrongPart != ulong.MaxValue)
            ReportPart();
        else if (_parts > needed || _missingPart != ulong.MaxValue)
            Report("target", $"The symlink has {_parts} parts, expected parts 0 to {needed - 1} for its {size} bytes.");
        else if (!_endsInNul || _nulBytes != 1)
            Report("target", $"The target has {_nulBytes} zero bytes, expected exactly one, at its end.");
    }

    private ulong PartSize(ulong part) => Math.Min(PartBytes, _group.Inode.Size - (part * PartBytes));

    private void Report(string where, string what) => _findings.Report("I100", _group.Structure, where, what);

    private void ReportKey(in ItemKey key) =>
        Report(key.ToString(), "The key of the symlink part has parts that must be 0 and are not.");

    private void ReportPart() => Report(
        Keys.Symlink(_group.Ino, _wrongPart).ToString(),
        $"Part {_wrongPart} of the target has {_wrongPartBytes} bytes, expected {PartSize(_wrongPart)} of the "
        + $"{_group.Inode.Size} bytes.");

    private void ReportNoSymlink()
    {
        string type = ItemsGroup.NameOfType(ItemsGroup.TypeOf(_group.TypeBits));
        Report("target", $"The inode is a {type}, but has {_parts} parts of a symlink's target.");
    }

    private void SuspectMissingPart(ulong part, ulong needed) => _findings.Suspect(
        "I100",
        _group.Structure,
        Keys.Symlink(_group.Ino, part).ToString(),
        $"Part {part} of the target is missing; its {_group.Inode.Size} bytes need {needed} parts.");
}
