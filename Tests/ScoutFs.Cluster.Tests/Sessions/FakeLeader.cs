using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using ScoutFs.Cluster.Leader;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Sessions;

/// <summary>A leader that answers with what it was asked, and can be made to wait or fail.</summary>
internal sealed class FakeLeader : ILeaderHandlers, ILeaderRequests
{
    private readonly Lock _latch = new();
    private readonly List<string> _calls = [];
    private ulong _seq = 1000;

    /// <summary>Awaited by every call except greetings.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>Outcome of every call.</summary>
    public FsError Outcome { get; set; }

    /// <summary>Outcome of greetings.</summary>
    public FsError GreetingOutcome { get; set; }

    public Exception? Fault { get; private set; }

    public string[] Calls
    {
        get
        {
            lock (_latch)
                return [.. _calls];
        }
    }

    public ILeaderRequests Requests => this;

    public ulong NextSeq() => Interlocked.Increment(ref _seq);

    public void RaiseSeq(ulong seq)
    {
        while (Interlocked.Read(ref _seq) < seq)
            Interlocked.Increment(ref _seq);
    }

    public ValueTask<FsError> GreetAsync(
        ulong rid, WireGreeting greeting, InetAddress peer, CancellationToken cancellationToken)
    {
        Note($"greet {rid} term {greeting.ServerTerm.Value} flags {greeting.Flags.Value} port {peer.Port.Value}");
        return new(GreetingOutcome);
    }

    public ValueTask<FsError> FarewellAsync(ulong rid, CancellationToken cancellationToken) => Do($"farewell {rid}");

    public ValueTask<(FsError Error, LogTrees LogTrees)> GetLogTreesAsync(
        ulong rid, CancellationToken cancellationToken) => Do($"get {rid}", new LogTrees { Rid = rid, Nr = 5 });

    public ValueTask<FsError> CommitLogTreesAsync(
        ulong rid, LogTrees logTrees, CancellationToken cancellationToken) => Do($"commit {rid} {logTrees.Nr.Value}");

    public ValueTask<(FsError Error, WireInodeRange Range)> AllocateInodesAsync(
        ulong rid, ulong count, CancellationToken cancellationToken) =>
        Do($"inodes {rid}", new WireInodeRange { Ino = 1024, Nr = count });

    public ValueTask<(FsError Error, WireRoots Roots)> GetRootsAsync(ulong rid, CancellationToken cancellationToken) =>
        Do($"roots {rid}", new WireRoots { FsRoot = new BtreeRoot { Height = 3 } });

    public ValueTask<(FsError Error, ulong Seq)> GetLastSeqAsync(ulong rid, CancellationToken cancellationToken) =>
        Do($"last seq {rid}", 77UL);

    public ValueTask<(FsError Error, SrchCompact Compact)> GetSrchCompactAsync(
        ulong rid, CancellationToken cancellationToken) => Do($"srch {rid}", new SrchCompact { Id = 8, Nr = 4 });

    public ValueTask<FsError> CommitSrchCompactAsync(
        ulong rid, SrchCompact compact, CancellationToken cancellationToken) => Do($"srch done {rid} {compact.Nr}");

    public ValueTask<(FsError Error, LogMergeRequest Request)> GetLogMergeAsync(
        ulong rid, CancellationToken cancellationToken) => Do($"merge {rid}", new LogMergeRequest { Seq = 9 });

    public ValueTask<FsError> CommitLogMergeAsync(
        ulong rid, LogMergeComplete complete, CancellationToken cancellationToken) =>
        Do($"merge done {rid} {complete.Seq.Value}");

    public ValueTask<(FsError Error, VolumeOptions Options)> GetVolumeOptionsAsync(
        ulong rid, CancellationToken cancellationToken) => Do($"options {rid}", new VolumeOptions { SetBits = 1 });

    public ValueTask<FsError> SetVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken) =>
        Do($"set {rid} {options.SetBits.Value}");

    public ValueTask<FsError> ClearVolumeOptionsAsync(
        ulong rid, VolumeOptions options, CancellationToken cancellationToken) =>
        Do($"clear {rid} {options.SetBits.Value}");

    public ValueTask<FsError> ResizeDevicesAsync(
        ulong rid, WireResize resize, CancellationToken cancellationToken) =>
        Do($"resize {rid} {resize.TotalMetaBlocks.Value}");

    public ValueTask<(FsError Error, WireStatFs Counts)> StatFsAsync(ulong rid, CancellationToken cancellationToken) =>
        Do($"statfs {rid}", new WireStatFs { InodeCount = 12 });

    public void OnLocksRecovered(ulong rid, bool isLast) => Note($"recovered {rid} last {isLast}");

    public void OnDisconnected(ulong rid) => Note($"disconnected {rid}");

    public void OnFault(Exception exception) => Fault = exception;

    private async ValueTask<FsError> Do(string call)
    {
        Note(call);
        await Gate;
        return Outcome;
    }

    private async ValueTask<(FsError Error, T Value)> Do<T>(string call, T value)
    {
        Note(call);
        await Gate;
        return (Outcome, value);
    }

    private void Note(string call)
    {
        lock (_latch)
            _calls.Add(call);
    }
}
