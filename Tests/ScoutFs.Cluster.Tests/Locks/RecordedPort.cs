using System.Collections.Generic;
using ScoutFs.Cluster.Locks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;

namespace ScoutFs.Cluster.Tests.Locks;

/// <summary>Writes down what the lock server does, one line each: <c>grant 1 #7 16.0 Null>Read seq 0</c>.</summary>
internal sealed class RecordedPort : ILockServerPort
{
    private readonly List<string> _lines = [];

    public ulong Seq { get; set; } = 100;

    public ulong NextSeq() => ++Seq;

    public void RaiseSeq(ulong seq) => Seq = seq > Seq ? seq : Seq;

    public void SendGrant(ulong rid, ulong requestId, in WireLock grant) => Add(
        $"grant {rid} #{requestId} {grant.Key.Zone}.{grant.Key.First.Value} "
        + $"{(LockMode)grant.OldMode}>{(LockMode)grant.NewMode} seq {grant.WriteSeq.Value}");

    public void SendInvalidation(ulong rid, in WireLock request) => Add(
        $"invalidate {rid} {request.Key.Zone}.{request.Key.First.Value} "
        + $"{(LockMode)request.OldMode}>{(LockMode)request.NewMode}");

    public void SendRecoverRequest(ulong rid, in ItemKey from) => Add($"recover {rid} from {from}");

    public void RecoveryEnded(ulong rid, bool isLast) => Add($"recovered {rid} last {isLast}");

    /// <summary>The lines since the last call.</summary>
    public string[] Take()
    {
        string[] lines = [.. _lines];
        _lines.Clear();
        return lines;
    }

    private void Add(string line) => _lines.Add(line);
}
