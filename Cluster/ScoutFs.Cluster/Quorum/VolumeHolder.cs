using System;
using System.Collections.Generic;
using System.Globalization;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Cluster.Quorum;

/// <summary>In which way a mount holds a volume.</summary>
public enum VolumeHolderKind
{
    /// <summary>It was elected, and has not stopped leading.</summary>
    Leader,

    /// <summary>Its quorum service runs, or ran until it crashed.</summary>
    Member,

    /// <summary>It is a mounted client.</summary>
    Mount,
}

/// <summary>A trace that a mount has left on a volume and not taken back: it uses the volume, or has crashed.</summary>
/// <param name="Kind">The strongest way in which it holds the volume.</param>
/// <param name="Rid">The mount.</param>
/// <param name="Slot">Its quorum slot, or null.</param>
/// <param name="Address">IPv4 address that it was known by; 0: unknown.</param>
/// <param name="Port">Port, 0: unknown.</param>
/// <param name="Term">Term of its leadership, or of its last event; 0 for mounts that were not members.</param>
/// <param name="Time">Its machine's clock at its last event.</param>
/// <param name="IsClient">It has a mounted client item, which a leader must reclaim.</param>
public sealed record VolumeHolder(
    VolumeHolderKind Kind,
    ulong Rid,
    int? Slot,
    uint Address,
    ushort Port,
    ulong Term,
    TimeSpan Time,
    bool IsClient)
{
    /// <summary>One line for people: <c>leader of term 3, mount 0123456789abcdef, slot 0, 10.0.0.1:5000</c>.</summary>
    public override string ToString()
    {
        string role = Kind switch
        {
            VolumeHolderKind.Leader => $"leader of term {Term}",
            VolumeHolderKind.Member => "quorum member",
            _ => "client",
        };
        string slot = Slot is { } nr ? $", slot {nr}" : "";
        string where = Address == 0 ? "" : $", {new QuorumSlot(0, Address, Port).AddressText}:{Port}";
        return string.Create(CultureInfo.InvariantCulture, $"{role}, mount {Rid:x16}{slot}{where}");
    }
}

/// <summary>Who holds a volume (cluster §§1, 2.2; format §5).</summary>
/// <param name="Holders">Leaders first, then members, then other mounts; empty: the volume was left cleanly.</param>
/// <param name="Quorum">The quorum blocks.</param>
public sealed record VolumeUse(IReadOnlyList<VolumeHolder> Holders, QuorumSnapshot Quorum)
{
    /// <summary>True unless everybody has left cleanly.</summary>
    public bool IsInUse => Holders.Count > 0;

    /// <summary>Finds the holders of a volume from its quorum blocks and mounted clients.</summary>
    public static VolumeUse Of(QuorumSnapshot quorum, IReadOnlyList<(ulong Rid, MountedClient Client)> clients)
    {
        var holders = new SortedDictionary<(VolumeHolderKind Kind, int Slot, ulong Rid), VolumeHolder>();
        var known = new Dictionary<ulong, VolumeHolder>();
        foreach (var leader in quorum.FindOldLeaders(rid: 0, term: ulong.MaxValue))
            Add(OfSlot(VolumeHolderKind.Leader, leader.Slot, leader.Rid, leader.Term, leader.Time));
        foreach (var (slot, block) in quorum.Slots)
        {
            var begin = QuorumSnapshot.Event(block, QuorumEventKind.Begin);
            var end = QuorumSnapshot.Event(block, QuorumEventKind.End);
            if (begin.WriteNr.Value > end.WriteNr.Value)
            {
                Add(OfSlot(
                    VolumeHolderKind.Member, slot, begin.Rid, begin.Term, QuorumSnapshot.TimeOf(begin)));
            }
        }

        foreach (var (rid, client) in clients)
        {
            Add(new VolumeHolder(
                VolumeHolderKind.Mount, rid, null, client.Address.Addr, client.Address.Port, 0, default, true));
        }

        foreach (var holder in known.Values)
            holders.Add((holder.Kind, holder.Slot ?? int.MaxValue, holder.Rid), holder);
        return new VolumeUse([.. holders.Values], quorum);

        void Add(VolumeHolder holder)
        {
            if (!known.TryAdd(holder.Rid, holder))
                known[holder.Rid] = known[holder.Rid] with { IsClient = known[holder.Rid].IsClient || holder.IsClient };
        }
    }

    private static VolumeHolder OfSlot(
        VolumeHolderKind kind, QuorumSlot slot, ulong rid, ulong term, TimeSpan time) =>
        new(kind, rid, slot.Nr, slot.Address, slot.Port, term, time, IsClient: false);
}
