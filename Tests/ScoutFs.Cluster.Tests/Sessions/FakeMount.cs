using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Cluster.Tests.Sessions;

/// <summary>A mount that writes down what its leader says; answers invalidations only when told to wait.</summary>
internal sealed class FakeMount : ILockMessages, IMountMessages
{
    private readonly Channel<string> _events =
        System.Threading.Channels.Channel.CreateUnbounded<string>();
    private readonly Lock _gate = new();
    private readonly List<(ulong Id, WireLock Request)> _unanswered = [];

    public FakeMount(ulong rid, ulong fsid = 1)
    {
        Rid = rid;
        Channel = new LeaderChannel(fsid, formatVersion: 2, rid, isQuorumMember: rid == 1);
        Channel.Attach(this, this);
    }

    public ulong Rid { get; }

    public LeaderChannel Channel { get; }

    /// <summary>Locks to report when a leader asks.</summary>
    public List<WireLock> Held { get; } = [];

    public bool AnswersAtOnce { get; set; } = true;

    public ulong OpenInode { get; set; } = ulong.MaxValue;

    /// <summary>The next thing that the leader said.</summary>
    public async Task<string> NextAsync() =>
        await _events.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30));

    public bool HasMore => _events.Reader.TryPeek(out _);

    public void RequestLock(ulong ino, LockMode mode)
    {
        // As the engine does it: with the gate held.
        lock (_gate)
            Channel.Request(new WireLock { Key = new ItemKey(KeyZone.Fs, ino, 0), NewMode = (byte)mode });
    }

    public void AnswerAll()
    {
        lock (_gate)
        {
            foreach (var (id, request) in _unanswered)
                Channel.AnswerInvalidation(id, request);
            _unanswered.Clear();
        }
    }

    public void OnGrant(in WireLock grant)
    {
        lock (_gate)
            Note($"grant {grant.Key.First.Value} {(LockMode)grant.OldMode}>{(LockMode)grant.NewMode}");
    }

    public void OnInvalidate(ulong requestId, in WireLock request)
    {
        lock (_gate)
        {
            Note($"invalidate {request.Key.First.Value} {(LockMode)request.OldMode}>{(LockMode)request.NewMode}");
            if (AnswersAtOnce)
                Channel.AnswerInvalidation(requestId, request);
            else
                _unanswered.Add((requestId, request));
        }
    }

    public void OnRecover(ulong requestId, in ItemKey from)
    {
        lock (_gate)
        {
            var page = new List<WireLock>();
            foreach (var held in Held)
            {
                if (held.Key >= from && page.Count < WireLockRecover.MaxLocks)
                    page.Add(held);
            }

            Channel.AnswerRecovery(requestId, page.ToArray());
        }
    }

    public void OnSyncLogTrees() => Note("sync");

    public void ReadOpenInodes(ulong group, Span<byte> bits)
    {
        if (OpenInode / 1024 == group)
            bits[(int)(OpenInode % 1024 / 8)] |= (byte)(1 << (int)(OpenInode % 8));
    }

    private void Note(string text) => _events.Writer.TryWrite(text);
}
