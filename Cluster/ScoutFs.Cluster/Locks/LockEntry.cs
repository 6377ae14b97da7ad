using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;

namespace ScoutFs.Cluster.Locks;

/// <summary>What one mount has to do with one lock: asks for it, holds it or is giving it up.</summary>
internal sealed class LockEntry
{
    /// <summary>The mount.</summary>
    public ulong Rid;

    /// <summary>Id of the request's frame; of no meaning once granted.</summary>
    public ulong RequestId;

    /// <summary>Mode asked for, or held.</summary>
    public LockMode Mode;

    /// <summary>Mode that an invalidation under way leaves.</summary>
    public LockMode Target;

    /// <summary>The lock.</summary>
    public ServedLock Lock = null!;

    /// <summary>The list of <see cref="Lock"/> that the entry is in.</summary>
    public LockEntryList? List;

    /// <summary>Neighbours in <see cref="List"/>.</summary>
    public LockEntry? Previous, Next;

    /// <summary>Neighbours in the list of the mount's entries; the next free entry while it is free.</summary>
    public LockEntry? PreviousOfMount, NextOfMount;
}

/// <summary>A list in order of arrival, linked through its entries so that removal needs no search.</summary>
internal sealed class LockEntryList
{
    /// <summary>Oldest entry.</summary>
    public LockEntry? First { get; private set; }

    /// <summary>Newest entry.</summary>
    public LockEntry? Last { get; private set; }

    /// <summary>Puts an entry that is in no list at the end.</summary>
    public void Add(LockEntry entry)
    {
        entry.List = this;
        entry.Previous = Last;
        entry.Next = null;
        if (Last is null)
            First = entry;
        else
            Last.Next = entry;
        Last = entry;
    }

    /// <summary>Takes an entry of this list out.</summary>
    public void Remove(LockEntry entry)
    {
        if (entry.Previous is null)
            First = entry.Next;
        else
            entry.Previous.Next = entry.Next;
        if (entry.Next is null)
            Last = entry.Previous;
        else
            entry.Next.Previous = entry.Previous;
        entry.List = null;
        entry.Previous = entry.Next = null;
    }

    /// <summary>The mount's entry, or null; a list has at most one.</summary>
    public LockEntry? Find(ulong rid)
    {
        for (var entry = First; entry is not null; entry = entry.Next)
        {
            if (entry.Rid == rid)
                return entry;
        }

        return null;
    }
}

/// <summary>One lock at the leader (cluster §7.3). It exists while a list has an entry.</summary>
internal sealed class ServedLock
{
    /// <summary>Start of the lock's range.</summary>
    public ItemKey Key;

    /// <summary>The lock stands in the queue of those that wait for the end of recovery.</summary>
    public bool IsQueued;

    /// <summary>The lock is in the table of locks.</summary>
    public bool IsInTable;

    /// <summary>The lock is kept for reuse.</summary>
    public bool IsFree;

    /// <summary>Held.</summary>
    public LockEntryList Granted { get; } = new();

    /// <summary>Asked for, oldest first: nobody overtakes.</summary>
    public LockEntryList Requested { get; } = new();

    /// <summary>Held and asked to be lowered.</summary>
    public LockEntryList Invalidated { get; } = new();

    /// <summary>True when no mount has to do with the lock.</summary>
    public bool IsIdle => Granted.First is null && Requested.First is null && Invalidated.First is null;
}
