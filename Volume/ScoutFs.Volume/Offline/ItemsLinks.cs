namespace ScoutFs.Volume.Offline;

/// <summary>Whether a link count is right.</summary>
internal enum LinksVerdict : byte
{
    /// <summary>It is.</summary>
    Right,

    /// <summary>It is not.</summary>
    Wrong,

    /// <summary>A directory has not exactly one entry that refers to it.</summary>
    NotOneEntry,

    /// <summary>A new inode that no entry refers to, as Linux is known to leave behind.</summary>
    NeverLinked,
}

/// <summary>What was counted about the links of one inode (format §10.1, nlink).</summary>
/// <param name="Nlink">The link count of the inode item.</param>
/// <param name="Backrefs">Back references, so entries that refer to it.</param>
/// <param name="SubdirsByName">Dirents of type directory in it.</param>
/// <param name="SubdirsByPos">Readdir items of type directory in it; differs only where an item is wrong.</param>
/// <param name="IsDirectory">By its mode.</param>
/// <param name="IsTypeUnclear">Entries or nobody agree with its mode: count it as either.</param>
/// <param name="IsRoot">The root directory, which no entry refers to.</param>
/// <param name="IsEmpty">No entries in it.</param>
/// <param name="IsNew">As it was created: nothing in it, no size.</param>
internal readonly record struct ItemsLinks(
    uint Nlink,
    ulong Backrefs,
    ulong SubdirsByName,
    ulong SubdirsByPos,
    bool IsDirectory,
    bool IsTypeUnclear,
    bool IsRoot,
    bool IsEmpty,
    bool IsNew)
{
    /// <summary>Judges the link count.</summary>
    /// <param name="missingBackrefs">Back references that should be there and are not, less those too many.</param>
    /// <param name="hasOrphanItem">Whether an orphan item says that it has no links.</param>
    public LinksVerdict Judge(long missingBackrefs = 0, bool hasOrphanItem = false)
    {
        ulong links = Backrefs + (ulong)missingBackrefs;
        var verdict = IsDirectory ? JudgeDirectory(links) : JudgeOther(links);
        if (verdict == LinksVerdict.Right || (IsTypeUnclear && IsRightAsOther(links)))
            return LinksVerdict.Right;

        // Linux creates an inode before it looks whether another mount made the same entry meanwhile, and forgets the
        // inode when that happens: link count of a new inode, nothing in it, no entry, no orphan item.
        bool isForgotten = IsNew && Nlink == (IsDirectory ? 2u : 1u) && links == 0 && !IsRoot && !hasOrphanItem;
        if (isForgotten)
            return LinksVerdict.NeverLinked;
        return hasOrphanItem && links == 0 && !IsRoot ? LinksVerdict.Wrong : verdict;
    }

    /// <summary>What is wrong, for people.</summary>
    /// <param name="verdict">The verdict, not <see cref="LinksVerdict.Right"/>.</param>
    /// <param name="missingBackrefs">As for <see cref="Judge"/>.</param>
    public string Describe(LinksVerdict verdict, long missingBackrefs = 0)
    {
        ulong links = Backrefs + (ulong)missingBackrefs;
        string kind = IsDirectory ? "directory" : "inode";
        switch (verdict)
        {
            case LinksVerdict.NeverLinked:
                return $"The {kind} has link count {Nlink} and is empty, but no entry refers to it; Linux is known to "
                    + "leave one behind when two mounts create the same name at once.";
            case LinksVerdict.NotOneEntry:
                return $"{Entries(links)} to the directory, expected {(IsRoot ? "none" : "exactly 1")}.";
            default:
                if (!IsDirectory)
                    return $"The link count is {Nlink}, but {LowerFirst(Entries(links))} to the inode.";
                if (Nlink == 0 && links == 0 && !IsRoot)
                    return "The directory is unlinked, but still has entries.";
                ulong expected = links == 0 && !IsRoot ? 0 : 2 + SubdirsByName;
                return $"The link count of the directory is {Nlink}, expected {expected}: "
                    + (expected == 0 ? "no entry refers to it." : $"2 and {SubdirsByName} for its subdirectories.");
        }
    }

    private static string Entries(ulong links) => links switch
    {
        0 => "No entry refers",
        1 => "1 entry refers",
        _ => $"{links} entries refer",
    };

    private static string LowerFirst(string text) => char.ToLowerInvariant(text[0]) + text[1..];

    private LinksVerdict JudgeOther(ulong links) => Nlink == links ? LinksVerdict.Right : LinksVerdict.Wrong;

    private LinksVerdict JudgeDirectory(ulong links)
    {
        if (Nlink == 0 && links == 0 && IsEmpty && !IsRoot)
            return LinksVerdict.Right;
        if (Nlink != 2 + SubdirsByName && Nlink != 2 + SubdirsByPos)
            return LinksVerdict.Wrong;
        return links == (IsRoot ? 0u : 1u) ? LinksVerdict.Right : LinksVerdict.NotOneEntry;
    }

    // A directory whose mode says otherwise, or the other way round.
    private bool IsRightAsOther(ulong links) =>
        (IsDirectory ? JudgeOther(links) : JudgeDirectory(links)) == LinksVerdict.Right;
}
