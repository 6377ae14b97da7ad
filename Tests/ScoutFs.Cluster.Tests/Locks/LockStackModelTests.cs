using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Cluster.Tests.Sessions;
using ScoutFs.Testing.Simulation;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;
using ScoutFs.Volume.Transactions;

namespace ScoutFs.Cluster.Tests.Locks;

/// <summary>The mounts' half and the leader's half of the locks together, over sessions that break.</summary>
/// <remarks>
/// Mounts read and change a few values under locks, cache them as long as a lock allows and write back when one is
/// taken away. Meanwhile connections are lost, leaders change and mounts die. Nobody may ever see an old value or meet
/// another writer, every user gets its lock in the end, and one seed always runs the same way.
/// </remarks>
internal sealed class LockStackModelTests
{
    private const int CountKeys = 48;

    [Test]
    public void Locks_AnyFaults_NeverShowAnOldValue([Range(1, 40)] int seed)
    {
        ulong first = Run((ulong)seed);
        if (seed % 10 == 0)
            Assert.That(Run((ulong)seed), Is.EqualTo(first), "the same seed runs the same way");
    }

    private static ulong Run(ulong seed)
    {
        var world = new World(seed);
        world.Scheduler.Run(world.RunAsync);
        return world.Scheduler.TraceHash;
    }

    private sealed class World
    {
        private readonly Prng _prng;
        private readonly SimTime _time;
        private readonly List<Mount> _mounts = [];
        private readonly List<Task> _users = [];
        private ulong _lastRid;
        private ulong _term;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            Scheduler = new SimScheduler(_prng.Fork("order")) { MaxTime = TimeSpan.FromMinutes(10) };
            _time = new SimTime(Scheduler);
            StartLeader();
        }

        public SimScheduler Scheduler { get; }

        public FakeLeader Leader { get; private set; } = null!;

        public SessionTable? Table { get; private set; }

        /// <summary>Values as the last writer left them, and as they were written back.</summary>
        public long[] Truth { get; } = new long[CountKeys];

        public long[] Disk { get; } = new long[CountKeys];

        public long CountUses { get; set; }

        public async Task RunAsync()
        {
            for (int i = 0; i < 3; i++)
                AddMount();
            for (int round = 0; round < 60; round++)
            {
                await PauseAsync(400);
                await DisturbAsync();
            }

            foreach (var mount in _mounts)
                mount.IsStopping = true;
            await Task.WhenAll(_users);
            Assert.That(CountUses, Is.GreaterThan(500));
            Assert.That(Leader.Fault, Is.Null);
            foreach (var mount in _mounts)
            {
                Assert.That(mount.Channel.IsIsolated, Is.False);
                mount.Die();
                Table!.Close(mount.Rid);
                Table.DropLocks(mount.Rid);
            }
        }

        public Task PauseAsync(int maxMs) =>
            Task.Delay(TimeSpan.FromMilliseconds(_prng.NextInt32(maxMs)), _time);

        public int Draw(int bound) => _prng.NextInt32(bound);

        private async Task DisturbAsync()
        {
            var mount = _mounts[Draw(_mounts.Count)];
            switch (Draw(10))
            {
                case < 4:
                    mount.Link?.Close();
                    break;
                case < 6:
                    var old = Table!;
                    Table = null;
                    old.Stop();
                    await PauseAsync(100);
                    StartLeader();
                    break;
                case 6 when _mounts.Count > 2:
                    _mounts.Remove(mount);
                    mount.Die();
                    await PauseAsync(100);
                    Table!.Close(mount.Rid);
                    Table.DropLocks(mount.Rid);
                    Table.DropOpenMap(mount.Rid);
                    break;
                case 7 when _mounts.Count < 5:
                    AddMount();
                    break;
            }
        }

        private void StartLeader()
        {
            Leader = new FakeLeader();
            var table = new SessionTable(fsid: 1, formatVersion: 2, ++_term, Leader, CancellationToken.None);
            foreach (var mount in _mounts)
                table.ExpectMount(mount.Rid);
            Table = table;
        }

        private void AddMount()
        {
            var mount = new Mount(this, ++_lastRid);
            _mounts.Add(mount);
            _ = mount.StayConnectedAsync();
            for (int i = 0; i < 4; i++)
                _users.Add(mount.UseAsync());
        }
    }

    private sealed class Mount : ILockMessages, IMountMessages, ILockInvalidation
    {
        private readonly World _world;
        private readonly Lock _gate = new();
        private readonly LockClient _locks;
        private readonly long?[] _cached = new long?[CountKeys];
        private readonly ulong[] _generations = new ulong[CountKeys];
        private readonly bool[] _isDirty = new bool[CountKeys];
        private bool _isDead;

        public Mount(World world, ulong rid)
        {
            _world = world;
            Rid = rid;
            Channel = new LeaderChannel(fsid: 1, formatVersion: 2, rid, isQuorumMember: false);
            _locks = new LockClient(_gate, Channel, this, idleLimit: 32);
            Channel.Attach(this, this);
        }

        public ulong Rid { get; }

        public LeaderChannel Channel { get; }

        public InProcessLink? Link { get; private set; }

        public bool IsStopping { get; set; }

        public async Task StayConnectedAsync()
        {
            while (!_isDead)
            {
                if (_world.Table is { } table)
                {
                    Link = InProcessLink.Connect(Channel, table.Accept(default));
                    await Link.Completion;
                    if (!_isDead && Channel.IsIsolated)
                        return;
                }

                await _world.PauseAsync(100);
            }
        }

        public async Task UseAsync()
        {
            while (!_isDead && !IsStopping)
            {
                int key = _world.Draw(CountKeys);
                var mode = _world.Draw(3) == 0 ? LockMode.Write : LockMode.Read;
                var range = LockRange.InodeGroup((ulong)key * 1024);
                var (error, clusterLock) = await _locks.WaitAsync(range, mode, CancellationToken.None);
                if (_isDead)
                    return;
                Assert.That(error, Is.EqualTo(FsError.None));
                Use(key, mode, clusterLock!);
                await _world.PauseAsync(20);
                if (_isDead)
                    return;
                Use(key, mode, clusterLock!);
                lock (_gate)
                    _locks.Release(clusterLock!, mode, transSeq: 1);
            }
        }

        public void Die()
        {
            _isDead = true;
            Channel.Isolate();
            for (int key = 0; key < CountKeys; key++)
            {
                // What was not written back is lost, and so is whoever was at it.
                if (_isDirty[key])
                    _world.Truth[key] = _world.Disk[key];
            }

            lock (_gate)
                _locks.Isolate();
        }

        public async ValueTask InvalidateAsync(ClusterLock clusterLock, LockMode from, LockMode to)
        {
            int key = (int)(clusterLock.Range.Start.First.Value / 1024);
            await _world.PauseAsync(30);
            if (_isDead)
                return;
            if (from == LockMode.Write && _isDirty[key])
            {
                _world.Disk[key] = _cached[key]!.Value;
                _isDirty[key] = false;
            }

            if (to == LockMode.Null)
                _cached[key] = null;
        }

        public void OnGrant(in WireLock grant)
        {
            lock (_gate)
                _locks.OnGrant(grant);
        }

        public void OnInvalidate(ulong requestId, in WireLock request)
        {
            lock (_gate)
                _locks.OnInvalidate(requestId, request);
        }

        public void OnRecover(ulong requestId, in ItemKey from)
        {
            lock (_gate)
                _locks.OnRecover(requestId, from);
        }

        public void OnSyncLogTrees()
        {
        }

        public void ReadOpenInodes(ulong group, Span<byte> bits)
        {
        }

        private void Use(int key, LockMode mode, ClusterLock clusterLock)
        {
            _world.CountUses++;
            if (_cached[key] is null || _generations[key] != clusterLock.RefreshGeneration)
            {
                Assert.That(_isDirty[key], Is.False);
                _cached[key] = _world.Disk[key];
                _generations[key] = clusterLock.RefreshGeneration;
            }

            Assert.That(_cached[key], Is.EqualTo(_world.Truth[key]), $"mount {Rid} key {key}");
            if (mode != LockMode.Write)
                return;
            _isDirty[key] = true;
            _world.Truth[key]++;
            _cached[key] = _world.Truth[key];
        }
    }
}
