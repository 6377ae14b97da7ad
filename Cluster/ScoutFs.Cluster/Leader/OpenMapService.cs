using System;
using System.Collections.Generic;
using ScoutFs.Volume.Format;

namespace ScoutFs.Cluster.Leader;

/// <summary>How the open map reaches mounts. Port, implemented by the sessions; calls only queue.</summary>
public interface IOpenMapPort
{
    /// <summary>Asks a mount which inodes of a group it has in use. A mount without a session gets nothing.</summary>
    void AskOpenInodes(ulong rid, in WireOpenInoArgs args);

    /// <summary>Answers a mount's request of that id.</summary>
    void AnswerOpenInodes(ulong rid, ulong requestId, in WireOpenInoMap map);
}

/// <summary>Which inodes of a group any other mount has in use (cluster §8): asks all, ORs what they say.</summary>
/// <remarks>
/// A pure machine; one caller at a time. A request is answered once every mount that was a member when it started has
/// answered or has been removed; so removal of a mount that is gone ends the waiting, nothing else does.
/// </remarks>
public sealed class OpenMapService
{
    private readonly IOpenMapPort _port;

    // Sorted, so that messages go out in the same order in every run.
    private readonly SortedSet<ulong> _members = [];
    private readonly SortedDictionary<ulong, Search> _searches = [];
    private readonly Queue<(ulong Rid, ulong RequestId, ulong Group)> _held = new();
    private ulong _lastSearch;

    /// <summary>Creates the service of a leader without mounts.</summary>
    public OpenMapService(IOpenMapPort port)
    {
        _port = port;
    }

    /// <summary>True while requests are kept until all mounts of the earlier leader have greeted.</summary>
    public bool IsHeld { get; private set; }

    /// <summary>Requests that wait for mounts.</summary>
    public int CountSearches => _searches.Count;

    /// <summary>Keeps requests from now on: not all mounts are known (cluster §4.5).</summary>
    public void Hold() => IsHeld = true;

    /// <summary>All mounts are known: what was kept starts.</summary>
    public void Release()
    {
        IsHeld = false;
        while (_held.TryDequeue(out var held))
            Start(held.Rid, held.RequestId, held.Group);
    }

    /// <summary>A mount takes part from now on; a second time is harmless.</summary>
    public void Add(ulong rid) => _members.Add(rid);

    /// <summary>A mount is gone: nobody waits for it, and nothing of it is answered. Harmless for others.</summary>
    public void Remove(ulong rid)
    {
        _members.Remove(rid);
        var ended = new List<ulong>();
        foreach (var (id, search) in _searches)
        {
            if (search.Rid == rid || (search.Waiting.Remove(rid) && search.Waiting.Count == 0))
                ended.Add(id);
        }

        foreach (ulong id in ended)
        {
            _searches.Remove(id, out var search);
            if (search!.Rid != rid)
                _port.AnswerOpenInodes(search.Rid, search.RequestId, search.Map);
        }

        for (int left = _held.Count; left > 0; left--)
        {
            var held = _held.Dequeue();
            if (held.Rid != rid)
                _held.Enqueue(held);
        }
    }

    /// <summary>A mount asks.</summary>
    /// <param name="rid">The mount, which is not asked itself.</param>
    /// <param name="requestId">Id of its request.</param>
    /// <param name="group">Inode number divided by 1024.</param>
    public void Request(ulong rid, ulong requestId, ulong group)
    {
        if (IsHeld)
            _held.Enqueue((rid, requestId, group));
        else
            Start(rid, requestId, group);
    }

    /// <summary>A mount answers. Answers that nobody waits for are dropped.</summary>
    public void OnAnswer(ulong rid, in WireOpenInoMap answer)
    {
        if (!_searches.TryGetValue(answer.Args.RequestId, out var search) || !search.Waiting.Remove(rid))
            return;
        Span<byte> bits = search.Map.Bits;
        ReadOnlySpan<byte> more = answer.Bits;
        for (int i = 0; i < bits.Length; i++)
            bits[i] |= more[i];
        if (search.Waiting.Count > 0)
            return;
        _searches.Remove(answer.Args.RequestId);
        _port.AnswerOpenInodes(search.Rid, search.RequestId, search.Map);
    }

    private void Start(ulong rid, ulong requestId, ulong group)
    {
        var search = new Search(rid, requestId) { Map = { Args = { Group = group } } };
        search.Waiting.UnionWith(_members);
        search.Waiting.Remove(rid);
        if (search.Waiting.Count == 0)
        {
            _port.AnswerOpenInodes(rid, requestId, search.Map);
            return;
        }

        var args = new WireOpenInoArgs { Group = group, RequestId = ++_lastSearch };
        _searches.Add(_lastSearch, search);
        foreach (ulong member in _members)
        {
            if (member != rid)
                _port.AskOpenInodes(member, args);
        }
    }

    private sealed class Search(ulong rid, ulong requestId)
    {
        public WireOpenInoMap Map;

        public ulong Rid { get; } = rid;

        public ulong RequestId { get; } = requestId;

        public HashSet<ulong> Waiting { get; } = [];
    }
}
