using System;
using System.Linq;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <content>Extended attributes (archive §10).</content>
public sealed partial class ModelFs
{
    private const string TagPrefix = "scoutfs.";
    private const int TagLength = 5;
    private const int MinTaggedLength = 14;
    private const int MaxValueBytes = 65535;

    private static readonly string[] Tags = ["hide.", "indx.", "srch.", "totl."];
    private static readonly string[] Namespaces = ["user.", "trusted.", "security.", TagPrefix];

    /// <summary>The name asks for an attribute that is not listed.</summary>
    public static bool IsHidden(string name) => TagsOf(name).Contains("hide.");

    // The tags of a name, up to the first part that is none; none for names too short to be looked at.
    private static string[] TagsOf(string name)
    {
        if (name.Length < MinTaggedLength || !name.StartsWith(TagPrefix, StringComparison.Ordinal))
            return [];
        int count = 0;
        while (Tags.Contains(TagAt(name, count)))
            count++;
        return [.. Enumerable.Range(0, count).Select(i => TagAt(name, i))];
    }

    private static string TagAt(string name, int index)
    {
        int start = TagPrefix.Length + (index * TagLength);
        return start + TagLength <= name.Length ? name.Substring(start, TagLength) : string.Empty;
    }

    private static FaultSet FaultsOfXattr(string name, byte[] value)
    {
        var faults = FaultsOfXattrName(name);
        string[] tags = TagsOf(name);
        if (value.Length > MaxValueBytes)
            faults |= FaultSet.Of(FsError.FileTooLarge, FsError.Invalid, FsError.OutOfRange);
        if (tags.Contains("totl.") && !XattrName.TryParseNumber(value, out _))
            faults |= FsError.Invalid;
        if (tags.Contains("indx.") && value.Length != 0)
            faults |= FsError.Invalid;
        return faults;
    }

    private static FaultSet FaultsOfXattrName(string name)
    {
        var faults = default(FaultSet);
        if (name.Length > FormatConstants.MaxNameBytes)
            faults |= FaultSet.Of(FsError.NameTooLong, FsError.OutOfRange, FsError.Invalid);
        if (!Namespaces.Any(space => name.StartsWith(space, StringComparison.Ordinal)))
            return faults | FsError.Unsupported;
        if (name.Length < MinTaggedLength || !name.StartsWith(TagPrefix, StringComparison.Ordinal))
            return faults;
        string[] tags = TagsOf(name);
        byte[] bytes = ModelText.ToBytes(name);
        bool isValid = tags.Length > 0 && tags.Distinct().Count() == tags.Length
            && !(tags.Contains("totl.") && tags.Contains("indx."))
            && (!tags.Contains("totl.") || XattrName.TryParseTotal(bytes, out _, out _, out _))
            && (!tags.Contains("indx.") || XattrName.TryParseIndex(bytes, out _, out _));
        return isValid ? faults : faults | FsError.Invalid;
    }

    private FaultSet SetXattr(SetXattrOp op, ModelTime now)
    {
        var inode = Get(op.Id);
        byte[] value = ModelText.ValueOf(op);
        var faults = FaultsOfXattr(op.Name, value);
        bool exists = inode.Xattrs.ContainsKey(op.Name);
        if (op.MustCreate && op.MustReplace)
            faults |= FsError.Invalid;
        if (op.MustCreate && exists)
            faults |= FsError.Exists;
        if (op.MustReplace && !exists)
            faults |= FsError.NoXattr;
        if (!faults.IsEmpty)
            return faults;

        // Setting what is in the index already is no change.
        if (!exists || !TagsOf(op.Name).Contains("indx."))
            Put(inode with { Xattrs = inode.Xattrs.SetItem(op.Name, value), Ctime = now });
        return default;
    }

    private FaultSet RemoveXattr(RemoveXattrOp op, ModelTime now)
    {
        var inode = Get(op.Id);
        var faults = FaultsOfXattrName(op.Name);
        if (!inode.Xattrs.ContainsKey(op.Name))
            faults |= FsError.NoXattr;
        if (faults.IsEmpty)
            Put(inode with { Xattrs = inode.Xattrs.Remove(op.Name), Ctime = now });
        return faults;
    }
}
