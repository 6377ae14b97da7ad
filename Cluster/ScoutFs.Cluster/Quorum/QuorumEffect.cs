using System.Collections.Generic;
using ScoutFs.Volume.Format;

namespace ScoutFs.Cluster.Quorum;

/// <summary>What a host does for a quorum member.</summary>
public enum QuorumEffectKind
{
    /// <summary>Record an event durably before anything that follows; a failure ends the member.</summary>
    Persist,

    /// <summary>Send a message to a slot, once, without waiting; failures do not matter.</summary>
    Send,

    /// <summary>Start the server of a term; from now on its status is not Down until it has stopped.</summary>
    StartServer,

    /// <summary>Have the server stop; its status becomes Stopping now and Down later.</summary>
    StopServer,

    /// <summary>The member does nothing any more.</summary>
    End,
}

/// <summary>One thing to do.</summary>
/// <param name="Kind">What.</param>
/// <param name="Term">Term of the event, message or server.</param>
/// <param name="Event">Persist: which event.</param>
/// <param name="Message">Send: which message.</param>
/// <param name="To">Send: slot.</param>
public readonly record struct QuorumEffect(
    QuorumEffectKind Kind,
    ulong Term,
    QuorumEventKind Event = default,
    QuorumMessageKind Message = default,
    int To = -1);

/// <summary>State of the server that a member runs while it leads.</summary>
public enum LeaderServerStatus
{
    /// <summary>None runs.</summary>
    Down,

    /// <summary>It fences earlier leaders and reads the volume.</summary>
    Starting,

    /// <summary>It serves. Every earlier leader was positively confirmed to be fenced (DEV-3).</summary>
    Up,

    /// <summary>It finishes.</summary>
    Stopping,
}

/// <summary>What to do, in this order; see <see cref="QuorumMember"/>.</summary>
public sealed class QuorumEffects
{
    private readonly List<QuorumEffect> _effects = [];

    /// <summary>The effects, first to last.</summary>
    public IReadOnlyList<QuorumEffect> All => _effects;

    /// <summary>Forgets all.</summary>
    public void Clear() => _effects.Clear();

    internal void Persist(QuorumEventKind kind, ulong term) =>
        _effects.Add(new QuorumEffect(QuorumEffectKind.Persist, term, Event: kind));

    internal void Send(QuorumMessageKind kind, ulong term, int to) =>
        _effects.Add(new QuorumEffect(QuorumEffectKind.Send, term, Message: kind, To: to));

    internal void StartServer(ulong term) => _effects.Add(new QuorumEffect(QuorumEffectKind.StartServer, term));

    internal void StopServer(ulong term) => _effects.Add(new QuorumEffect(QuorumEffectKind.StopServer, term));

    internal void End() => _effects.Add(new QuorumEffect(QuorumEffectKind.End, 0));
}
