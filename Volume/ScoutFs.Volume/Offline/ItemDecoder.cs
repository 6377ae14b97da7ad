using System;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Adds an item's value to a record, by the structure its key asks for (format §6.2).</summary>
/// <remarks>A value of another length is shown as bytes. Not thread safe.</remarks>
internal sealed class ItemDecoder
{
    private readonly StructPlan _inode = StructPlan.Of<InodeItem>();
    private readonly StructPlan _dirent = StructPlan.Of<DirentHeader>();
    private readonly StructPlan _xattr = StructPlan.Of<XattrHeader>();
    private readonly StructPlan _extent = StructPlan.Of<DataExtentItem>();
    private readonly StructPlan _total = StructPlan.Of<XattrTotalItem>();
    private readonly StructPlan _quota = StructPlan.Of<QuotaRuleItem>();
    private readonly StructPlan _logTrees = StructPlan.Of<LogTrees>();
    private readonly StructPlan _client = StructPlan.Of<MountedClient>();
    private readonly StructPlan _srchFile = StructPlan.Of<SrchFile>();
    private readonly StructPlan _srchCompact = StructPlan.Of<SrchCompact>();
    private readonly StructPlan _status = StructPlan.Of<LogMergeStatus>();
    private readonly StructPlan _range = StructPlan.Of<LogMergeRange>();
    private readonly StructPlan _request = StructPlan.Of<LogMergeRequest>();
    private readonly StructPlan _complete = StructPlan.Of<LogMergeComplete>();
    private readonly StructPlan _freeing = StructPlan.Of<LogMergeFreeing>();

    /// <summary>Adds what the parts of a key mean, where the value does not say it.</summary>
    public static void DecodeKey(in ItemKey key, DumpRecord record)
    {
        switch (key.Zone)
        {
            case KeyZone.InodeIndex:
                record.Add("index_seq", key.Second);
                record.Add("ino", key.Third);
                break;
            case KeyZone.Orphan:
                record.Add("ino", key.Second);
                break;
            case KeyZone.XattrIndex:
                record.Add("major", key.First >> 56);
                record.Add("minor", (key.First << 8) | (key.Second >> 56));
                record.Add("ino", (key.Second << 8) | (key.Third >> 56));
                record.Add("xattr_id", (key.Third << 8) | key.Fourth);
                break;
            case KeyZone.Fs:
                record.Add("ino", key.First);
                if (key.Type == KeyType.DataExtent)
                    AddRange(key.Second, key.Third, record);
                break;
            case KeyZone.FreeByLocation:
                AddRange(key.First, key.Second, record);
                break;
            case KeyZone.FreeBySize:
                AddRange(key.Second, key.Third, record);
                record.Add("order", ulong.MaxValue - key.First);
                break;
            default:
                break;
        }
    }

    /// <summary>Adds the fields of a value.</summary>
    public void Decode(in ItemKey key, ReadOnlySpan<byte> value, DumpRecord record)
    {
        if (value.Length == 0)
            return;
        switch (key.Zone)
        {
            case KeyZone.Fs:
                DecodeFs(key, value, record);
                break;
            case KeyZone.XattrTotal:
                Fixed(_total, Disk.SizeOf<XattrTotalItem>(), value, record);
                break;
            case KeyZone.Quota:
                Fixed(_quota, Disk.SizeOf<QuotaRuleItem>(), value, record);
                break;
            case KeyZone.LogTrees:
                Fixed(_logTrees, Disk.SizeOf<LogTrees>(), value, record);
                break;
            case KeyZone.MountedClient:
                Fixed(_client, Disk.SizeOf<MountedClient>(), value, record);
                break;
            case KeyZone.Srch when key.Type is KeyType.SrchLog or KeyType.SrchSorted:
                Fixed(_srchFile, Disk.SizeOf<SrchFile>(), value, record);
                break;
            case KeyZone.Srch:
                Fixed(_srchCompact, Disk.SizeOf<SrchCompact>(), value, record);
                break;
            case KeyZone.MergeStatus:
                Fixed(_status, Disk.SizeOf<LogMergeStatus>(), value, record);
                break;
            case KeyZone.MergeRange:
                Fixed(_range, Disk.SizeOf<LogMergeRange>(), value, record);
                break;
            case KeyZone.MergeRequest:
                Fixed(_request, Disk.SizeOf<LogMergeRequest>(), value, record);
                break;
            case KeyZone.MergeComplete:
                Fixed(_complete, Disk.SizeOf<LogMergeComplete>(), value, record);
                break;
            case KeyZone.MergeFreeing:
                Fixed(_freeing, Disk.SizeOf<LogMergeFreeing>(), value, record);
                break;
            default:
                Raw(value, record);
                break;
        }
    }

    private static void Fixed(StructPlan plan, int sizeBytes, ReadOnlySpan<byte> value, DumpRecord record)
    {
        if (value.Length == sizeBytes)
            plan.Read(value, record);
        else
            Raw(value, record);
    }

    private static void AddRange(ulong last, ulong count, DumpRecord record)
    {
        record.Add("first", unchecked(last - count + 1));
        record.Add("last", last);
        record.Add("count", count);
    }

    private static void Raw(ReadOnlySpan<byte> value, DumpRecord record)
    {
        record.Add("length", (ulong)value.Length);
        record.Add("bytes", Convert.ToHexStringLower(value));
    }

    private void DecodeFs(in ItemKey key, ReadOnlySpan<byte> value, DumpRecord record)
    {
        switch (key.Type)
        {
            case KeyType.Inode when value.Length is InodeItem.Version1Bytes or InodeItem.Version2Bytes:
                _inode.Read(value, record);
                break;
            case KeyType.Dirent or KeyType.Readdir or KeyType.LinkBackref
                when value.Length > Disk.SizeOf<DirentHeader>():
                _dirent.Read(value[..Disk.SizeOf<DirentHeader>()], record);
                record.Add("name", NameText.Printable(value[Disk.SizeOf<DirentHeader>()..]));
                break;
            case KeyType.Xattr when key.Fourth == 0 && value.Length > Disk.SizeOf<XattrHeader>():
                DecodeXattr(value, record);
                break;
            case KeyType.Symlink:
                record.Add("target", NameText.Printable(value.TrimEnd((byte)0)));
                break;
            case KeyType.DataExtent:
                Fixed(_extent, Disk.SizeOf<DataExtentItem>(), value, record);
                break;
            default:
                Raw(value, record);
                break;
        }
    }

    private void DecodeXattr(ReadOnlySpan<byte> value, DumpRecord record)
    {
        _xattr.Read(value[..Disk.SizeOf<XattrHeader>()], record);
        var rest = value[Disk.SizeOf<XattrHeader>()..];
        int nameBytes = Math.Min(rest.Length, Disk.Ref<XattrHeader>(value).NameLen);
        record.Add("name", NameText.Printable(rest[..nameBytes]));
        record.Add("value", NameText.Printable(rest[nameBytes..]));
    }
}
