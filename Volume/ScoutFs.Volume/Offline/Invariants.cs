using System.Collections.Frozen;
using System.Collections.Generic;

namespace ScoutFs.Volume.Offline;

/// <summary>An invariant of the format document (§18).</summary>
/// <param name="Id">"I25".</param>
/// <param name="Title">What must hold.</param>
/// <param name="Meaning">What it means for the user when it does not, and what to do.</param>
public sealed record InvariantEntry(string Id, string Title, string Meaning);

/// <summary>The catalogue of invariants: what each says, and what breaking it means for the user.</summary>
public static class Invariants
{
    private const string TreeUnreadable =
        "Items below this block cannot be reached; files may be missing or unreadable. Copy out what is readable with "
        + "\"scoutfs volume export\" and restore the rest from the archive.";

    private const string TreeSearch =
        "Searches in this block may miss items that are there: files may seem missing. The contents are still there; "
        + "copy them out with \"scoutfs volume export\".";

    private const string FreeSpace =
        "Free space is recorded wrongly; writing to the volume could overwrite data. Do not mount it for writing.";

    private const string SuperDamage =
        "The volume cannot be mounted. The roots of all trees are in this block only; do not write to the device.";

    private const string Names =
        "A name may not be found, may be listed twice or may lead to the wrong file. The files' contents are not "
        + "affected.";

    private const string Inode =
        "The inode's attributes do not agree with what belongs to it; unlinking or listing may go wrong.";

    private const string Search =
        "Searching for tagged attributes may miss files or list files without the attribute. Contents are not "
        + "affected.";

    private const string Merge =
        "The background merge of logs may stop or lose updates. Do not mount the volume for writing.";

    private const string Harmless = "Harmless: nothing needs to be done.";

    private const string LinuxHarmless =
        "Known deviation of volumes written by Linux. Harmless: nothing needs to be done.";

    private static readonly FrozenDictionary<string, InvariantEntry> Table = Build();

    /// <summary>All invariants in the order of the format document.</summary>
    public static IReadOnlyList<InvariantEntry> All { get; } = List();

    /// <summary>What breaking an invariant means for the user.</summary>
    public static string MeaningOf(string invariant, FindingSeverity severity) =>
        severity == FindingSeverity.Warning
            ? invariant is "I23" or "I63" or "I72" or "I75" ? LinuxMeaning(invariant) : Harmless
            : Table.TryGetValue(invariant, out var entry) ? entry.Meaning : string.Empty;

    private static string LinuxMeaning(string invariant) => invariant == "I63"
        ? "Known leak of Linux: 64 KiB are lost until a repair tool returns them. Data is not affected."
        : LinuxHarmless;

    private static FrozenDictionary<string, InvariantEntry> Build()
    {
        var table = new Dictionary<string, InvariantEntry>();
        foreach (var entry in List())
            table.Add(entry.Id, entry);
        return table.ToFrozenDictionary();
    }

    private static List<InvariantEntry> List() =>
    [
        new("I1", "both supers: magic, crc, blkno, supported version", SuperDamage),
        new("I2", "META flag set in the meta super, clear in the data super", SuperDamage),
        new("I3", "uuid, fsid, fmt_vers equal in both supers",
            "The two devices do not belong together; mounting them would destroy data."),
        new(
            "I4",
            "recorded totals fit the devices",
            "Blocks lie past the end of a device; it was truncated or replaced."),
        new("I6", "quorum slots: at least one, known families, distinct addresses, unused zero",
            "Mounts cannot agree on a leader. Correct it with \"scoutfs change-quorum-config\"."),
        new("I7", "only known volume options, values of clear options zero",
            "Mounts may refuse the volume or behave differently. Unset the option from a mount."),
        new("I8", "quorum blocks: magic, crc, blkno, fsid",
            "The mount of this slot cannot take part in elections; offline tools treat the volume as in use."),
        new("I9", "quorum event write numbers consistent",
            "Whether a leader is still running cannot be told for this slot."),
        new("I10", "referenced block inside the device, readable and crc good", TreeUnreadable),
        new("I11", "referenced block has the expected magic", TreeUnreadable),
        new("I12", "referenced block has the expected fsid, blkno and seq", TreeUnreadable),
        new("I20", "btree level matches its place in the tree", TreeUnreadable),
        new("I21", "btree item array inside the block", TreeUnreadable),
        new("I22", "btree AVL links valid, every item reached once", TreeSearch),
        new("I23", "btree AVL heights exact and balanced", TreeSearch),
        new("I24", "btree keys strictly ascending", TreeSearch),
        new("I25", "btree keys inside the parent's range", TreeSearch),
        new("I26", "btree pads zero", "Lookups hash keys with their padding and may miss this item."),
        new("I27", "btree values aligned, inside the value area, disjoint", TreeUnreadable),
        new("I28", "btree parent items have 16 byte values", TreeUnreadable),
        new("I29", "no unknown btree item flags", "The item may be of a newer program. Use a newer version to check."),
        new(
            "I30",
            "total_item_bytes equals the sum of items",
            "The block may be split or joined wrongly when changed."),
        new("I31", "mid_free_len ends at or before the lowest value", "The next change may overwrite a value."),
        new("I32", "right spine ends in the all ones key", "New items with great keys cannot be inserted or found."),
        new("I33", "leaf hash holds exactly the items", TreeSearch),
        new("I34", "root height and reference consistent", TreeUnreadable),
        new("I35", "parent blocks are not empty", TreeUnreadable),
        new("I36", "no deletion items outside log trees", "The item counts as deleted although it should be live."),
        new("I37", "versions of one key with equal seq are equal", "Which version wins is a matter of chance."),
        new("I38", "deletion items have no value", "The item is treated as deleted; the value is ignored."),
        new(
            "I39",
            "only expected zones and types in each tree",
            "Unknown items are ignored; a newer program may know them."),
        new("I41", "free extent items well formed", FreeSpace),
        new("I42", "both indexes of free extents agree", FreeSpace),
        new("I43", "total_len equals the sum of free extents", FreeSpace),
        new("I44", "free extents inside the device, disjoint", FreeSpace),
        new("I45", "neighbouring free extents are merged", Harmless),
        new("I46", "no unknown allocator flags", FreeSpace),
        new("I50", "empty list head is zero", FreeSpace),
        new("I51", "list blocks inside bounds, no cycles", FreeSpace),
        new("I52", "list counts exact", FreeSpace),
        new("I53", "list entries inside the device", FreeSpace),
        new("I60", "metadata blocks: each in exactly one place",
            "A block used twice will be overwritten by one of its users; do not mount the volume for writing. A block "
            + "in no place is only lost space."),
        new("I62", "data blocks: each in exactly one place",
            "Blocks used twice mean that a write to one file changes another; do not mount the volume for writing. "
            + "Blocks in no place are only lost space."),
        new("I63", "no leaked level 1 btree blocks", LinuxMeaning("I63")),
        new("I70", "srch file height, reference and count consistent", Search),
        new("I71", "srch file dense", Search),
        new("I72", "srch entries decode within limits", Search),
        new("I73", "sorted srch files ascending", Search),
        new("I74", "srch block first, last and tail exact", Search),
        new("I75", "srch file totals exact", Search),
        new("I76", "srch root value sizes", Search),
        new("I77", "srch root keys match contents", Search),
        new("I78", "srch compaction inputs are files exactly while needed", Search),
        new("I79", "srch entries agree with tagged attributes", Search),
        new("I80", "mounted client items well formed", "A starting leader waits for, or fences, a client wrongly."),
        new("I81", "log merge value sizes", Merge),
        new("I82", "log merge keys match contents", Merge),
        new("I83", "log merge status counts", Merge),
        new("I84", "log trees items: size and key", "What a mount wrote last may be lost."),
        new("I85", "log trees items: flags and transaction seqs consistent", "What a mount wrote last may be lost."),
        new("I86", "seqs not greater than the super's",
            "Later changes may lose against older ones. Do not mount the volume for writing."),
        new("I87", "finalized log trees own no allocators", FreeSpace),
        new("I88", "bloom total_set exact", "Informational count only; lookups are not affected."),
        new("I89", "bloom bits of all items set", "Mounts do not see the changes recorded in this log tree."),
        new("I90", "totals equal the sums over tagged attributes",
            "Usage totals and quotas are computed from wrong numbers. Contents are not affected."),
        new("I91", "inode value size, flags", "The inode cannot be read, or behaves unexpectedly."),
        new("I92", "directory entry values well formed", Names),
        new("I93", "the three items of a directory entry agree", Names),
        new("I94", "entries and inodes refer to each other", Inode),
        new("I95", "xattr index agrees with tagged attributes", Search),
        new(
            "I96",
            "data extents valid, disjoint, counted",
            "File contents may be unreadable or wrong. Compare with the archive."),
        new(
            "I97",
            "inode index items exactly as required",
            "Archive agents may miss a changed file. Contents are not affected."),
        new("I98", "orphan items exactly for unlinked inodes", "An unlinked file is never deleted, or a live one is."),
        new("I99", "quota rules well formed", "The quota rule may not be enforced."),
        new("I100", "symlinks well formed", "The symlink cannot be read."),
        new("I101", "xattr parts dense, sized, hashed", "The attribute cannot be read."),
        new("I102", "inode counts add up", "The number of used inodes is shown wrongly. Contents are not affected."),
    ];
}
