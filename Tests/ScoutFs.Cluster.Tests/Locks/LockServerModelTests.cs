using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Cluster.Locks;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Locking;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Locks;

/// <summary>Random mounts, delays, crashes and failovers: no conflicting holders, no lost request.</summary>
/// <remarks>
/// Messages of one mount arrive in order in each direction, after any delay. At a failover messages under way are
/// lost, mounts send their unanswered requests again and answers to the old leader are dropped (cluster §3.1).
/// </remarks>
internal sealed class LockServerModelTests
{
    private const int CountKeys = 4;

    [Test]
    public void Schedule_AnySeed_KeepsLocksApartAndAnswersEverything([Range(1, 60)] int seed) =>
        new World((ulong)seed).Run(steps: 4000);

    private sealed class World : ILockServerPort
    {
        private readonly Prng _prng;
        private readonly Dictionary<ulong, Mount> _mounts = [];
        private LockServer _server;
        private ulong _seq = 10;
        private ulong _lastRid;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _server = new LockServer(this);
            for (int i = 0; i < 5; i++)
                AddMount();
        }

        private List<Mount> Mounts => [.. _mounts.Values];

        public void Run(int steps)
        {
            for (int step = 0; step < steps; step++)
            {
                Step();
                RequireCompatible();
            }

            // Drain: nobody asks for anything more, everything under way arrives.
            for (int round = 0; round < 100_000 && Mounts.Any(mount => !mount.IsQuiet); round++)
            {
                foreach (var mount in Mounts)
                {
                    mount.Greet();
                    Deliver(mount, toServer: round % 2 == 0);
                    mount.Work();
                }

                RequireCompatible();
            }

            Assert.That(Mounts.Where(mount => !mount.IsQuiet).Select(mount => mount.Rid), Is.Empty);
            foreach (var mount in Mounts)
                Leave(mount);
            Assert.That(_server.CountLocks, Is.Zero);
        }

        public ulong NextSeq() => ++_seq;

        public void RaiseSeq(ulong seq) => _seq = seq > _seq ? seq : _seq;

        public void SendGrant(ulong rid, ulong requestId, in WireLock grant) =>
            Send(rid, new Message(MessageKind.Grant, requestId, [grant]));

        public void SendInvalidation(ulong rid, in WireLock request) =>
            Send(rid, new Message(MessageKind.Invalidate, 0, [request]));

        public void SendRecoverRequest(ulong rid, in ItemKey from) =>
            Send(rid, new Message(MessageKind.Recover, 0, [new WireLock { Key = from }]));

        public void RecoveryEnded(ulong rid, bool isLast) => Assert.That(_server.IsRecovering, Is.EqualTo(!isLast));

        private void Step()
        {
            var mount = Mounts[_prng.NextInt32(_mounts.Count)];
            switch (_prng.NextInt32(1000))
            {
                case < 250:
                    mount.TryRequest(_prng.NextInt32(CountKeys), (LockMode)_prng.NextInt32(4));
                    break;
                case < 550:
                    Deliver(mount, toServer: true);
                    break;
                case < 850:
                    Deliver(mount, toServer: false);
                    break;
                case < 980:
                    mount.Greet();
                    mount.Work();
                    break;
                case < 990:
                    Leave(mount);
                    AddMount();
                    break;
                case < 996:
                    AddMount();
                    break;
                default:
                    FailOver();
                    break;
            }

            if (_mounts.Count > 8)
                Leave(Mounts[_prng.NextInt32(_mounts.Count)]);
        }

        private void AddMount()
        {
            var mount = new Mount(++_lastRid, this) { HasGreeted = true };
            _mounts.Add(mount.Rid, mount);
        }

        /// <summary>Crash or farewell: either way the mount holds nothing when it is reclaimed.</summary>
        private void Leave(Mount mount)
        {
            _mounts.Remove(mount.Rid);
            _server.Reclaim(mount.Rid);
        }

        private void FailOver()
        {
            _server = new LockServer(this);

            // The new leader knows a seq of its own, but everything held is greater or equal.
            _seq = 10;
            foreach (var mount in Mounts)
            {
                _server.ExpectRecovery(mount.Rid);
                mount.LoseLeader();
            }
        }

        private void Send(ulong rid, Message message)
        {
            if (_mounts.TryGetValue(rid, out var mount))
                mount.FromServer.Enqueue(message);
        }

        private void Deliver(Mount mount, bool toServer)
        {
            if (!mount.HasGreeted)
                return;
            if (!toServer)
            {
                if (mount.FromServer.TryDequeue(out var arrived))
                    mount.Receive(arrived);
                return;
            }

            if (!mount.ToServer.TryDequeue(out var message))
                return;
            var error = message.Kind switch
            {
                MessageKind.Request => _server.OnRequest(mount.Rid, message.Id, message.Locks[0]),
                MessageKind.Invalidate => _server.OnInvalidationAnswer(mount.Rid, message.Locks[0]),
                _ => _server.OnRecoverAnswer(mount.Rid, message.Locks),
            };
            Assert.That(error, Is.EqualTo(FsError.None));
        }

        private void RequireCompatible()
        {
            for (int key = 0; key < CountKeys; key++)
            {
                LockMode[] held =
                    [.. Mounts.Select(mount => mount.HeldMode(key)).Where(mode => mode != LockMode.Null)];
                if (held.Length > 1)
                {
                    Assert.That(held.Distinct().Count(), Is.EqualTo(1));
                    Assert.That(held[0], Is.Not.EqualTo(LockMode.Write));
                }
            }
        }

        private enum MessageKind
        {
            Request,
            Grant,
            Invalidate,
            Recover,
        }

        private sealed record Message(MessageKind Kind, ulong Id, WireLock[] Locks);

        private sealed class Mount(ulong rid, World world)
        {
            private readonly LockMode[] _modes = new LockMode[CountKeys];
            private readonly ulong[] _seqs = new ulong[CountKeys];
            private readonly Message?[] _pending = new Message?[CountKeys];
            private readonly Queue<Message>[] _invalidations =
                [.. new int[CountKeys].Select(_ => new Queue<Message>())];


            private ulong _lastId;

            public ulong Rid { get; } = rid;

            public bool HasGreeted { get; set; }

            public Queue<Message> ToServer { get; } = new();

            public Queue<Message> FromServer { get; } = new();

            public bool IsQuiet => HasGreeted && ToServer.Count == 0 && FromServer.Count == 0
                && _pending.All(pending => pending is null) && _invalidations.All(queue => queue.Count == 0);

            public LockMode HeldMode(int key) => _modes[key];

            public void TryRequest(int key, LockMode mode)
            {
                if (_pending[key] is not null || _modes[key] == mode)
                    return;
                _pending[key] = new Message(MessageKind.Request, ++_lastId, [Wire(key, mode)]);
                if (HasGreeted)
                    ToServer.Enqueue(_pending[key]!);
            }

            public void LoseLeader()
            {
                HasGreeted = false;
                ToServer.Clear();
                FromServer.Clear();

                // Invalidations of the old leader are not worked off for the new one, which sends its own.
                foreach (var queue in _invalidations)
                    queue.Clear();
            }

            public void Greet()
            {
                if (HasGreeted)
                    return;
                HasGreeted = true;
                foreach (var pending in _pending.OfType<Message>().OrderBy(pending => pending.Id))
                    ToServer.Enqueue(pending);
                world._server.StartRecovery(Rid);
            }

            public void Receive(Message message)
            {
                int key = (int)(message.Locks[0].Key.First.Value / 1024);
                switch (message.Kind)
                {
                    case MessageKind.Grant:
                        Assert.That(_pending[key]?.Id, Is.EqualTo(message.Id));
                        Assert.That((LockMode)message.Locks[0].OldMode, Is.EqualTo(_modes[key]));
                        Assert.That(message.Locks[0].NewMode, Is.EqualTo(_pending[key]!.Locks[0].NewMode));
                        _pending[key] = null;
                        _modes[key] = (LockMode)message.Locks[0].NewMode;
                        _seqs[key] = message.Locks[0].WriteSeq;
                        bool mayWrite = _modes[key] is LockMode.Write or LockMode.WriteOnly;
                        Assert.That(_seqs[key], mayWrite ? Is.GreaterThan(0) : Is.Zero);
                        break;
                    case MessageKind.Invalidate:
                        Assert.That((LockMode)message.Locks[0].OldMode, Is.EqualTo(_modes[key]));
                        _invalidations[key].Enqueue(message);
                        break;
                    default:
                        // Pages of two, so that paging is met as well.
                        int from = message.Locks[0].Key == ItemKey.Min
                            ? 0
                            : key + (message.Locks[0].Key.Fourth > 0 ? 1 : 0);
                        WireLock[] page = [.. Enumerable.Range(from, CountKeys - from)
                            .Where(held => _modes[held] != LockMode.Null || _pending[held] is not null)
                            .Take(2)
                            .Select(held => Wire(held, _modes[held]))];
                        ToServer.Enqueue(new Message(MessageKind.Recover, 0, page));
                        break;
                }
            }

            public void Work()
            {
                for (int key = 0; key < CountKeys; key++)
                {
                    if (!_invalidations[key].TryDequeue(out var message))
                        continue;
                    _modes[key] = (LockMode)message.Locks[0].NewMode;
                    ToServer.Enqueue(message);
                }
            }

            private WireLock Wire(int key, LockMode mode) => new()
            {
                Key = new ItemKey(KeyZone.Fs, (ulong)key * 1024, 0),
                WriteSeq = _seqs[key],
                OldMode = (byte)_modes[key],
                NewMode = (byte)mode,
            };
        }
    }
}
