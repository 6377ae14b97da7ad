using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Items;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Mounts;

/// <summary>The item cache beside two dictionaries: what is on disk, and what is true.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ItemCacheModelTests
{
    private const int KeyCount = 400;
    private const ulong Ino = 5;

    private readonly ItemCache _cache = new();
    private readonly SortedDictionary<int, byte[]> _disk = [];
    private readonly SortedDictionary<int, byte[]> _truth = [];
    private readonly SortedDictionary<int, byte[]?> _forced = [];
    private readonly SortedDictionary<int, (ulong Total, ulong Count)> _deltas = [];
    private readonly bool[] _isKnown = new bool[KeyCount];
    private readonly ItemBatch _batch = new();
    private Prng _prng = new(0);
    private ulong _seq = 1;

    [Test]
    public void RandomCalls_ManyRounds_NeverTellAnUntruth([Range(1, 8)] int seed)
    {
        _prng = new Prng((ulong)seed);
        for (int i = 0; i < 20_000; i++)
        {
            Step();
            Check(_prng.NextInt32(KeyCount), _prng.NextInt32(40));
        }

        Commit();
        Assert.That((_cache.DirtyCount, _cache.DirtyPages), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Shrink_ManyDirtyPages_KeepsWhatIsInUse()
    {
        const long Limit = 1 << 20;
        byte[] value = new byte[FormatConstants.MaxValueBytes];
        for (ulong i = 0; i < 4096; i++)
            _cache.ForcePut(Keys.Readdir(1, i), 1, value);
        for (ulong ino = 100; ino < 112; ino++)
        {
            _cache.Shrink(Limit, 16);
            _batch.Clear();
            _cache.Fill(Keys.Readdir(ino, 0), Keys.Readdir(ino, 1000), _batch);
            for (ulong used = 100; used <= ino; used++)
                Assert.That(_cache.Find(Keys.Readdir(used, 7), out _), Is.EqualTo(ItemLookup.Absent));
        }
    }

    [Test]
    public void Shrink_CleanPages_FreesDownToTheLimit()
    {
        const long Limit = 1 << 20;
        byte[] value = new byte[FormatConstants.MaxValueBytes];
        for (ulong i = 0; i < 4096; i++)
        {
            _cache.ForcePut(Keys.Readdir(1, i), 1, value);
            if (i % 100 == 0)
                _cache.CommitDone();
            _batch.Clear();
            _batch.Add(Keys.Readdir(2, i), 1, value);
            _cache.Fill(Keys.Readdir(2, i), Keys.Readdir(2, i), _batch);
            _cache.Shrink(Limit, 16);
        }

        _cache.CommitDone();
        for (int i = 0; i < 1000; i++)
            _cache.Shrink(Limit, 16);
        Assert.That(_cache.MemoryBytes, Is.LessThanOrEqualTo(Limit));
        _cache.Invalidate(Keys.Readdir(1, 0), Keys.Readdir(3, 0));
        Assert.That(_cache.MemoryBytes, Is.Zero);
    }

    private static ItemKey Key(int index) => Keys.Readdir(Ino, (ulong)index);

    private static ItemKey ForcedKey(int index) => Keys.Orphan((ulong)index);

    private static ItemKey TotalKey(int index) => Keys.XattrTotal(1, 2, (ulong)index);

    private void Step()
    {
        int index = _prng.NextInt32(KeyCount);
        switch (_prng.NextInt32(100))
        {
            case < 25:
                Fill(index, Math.Min(KeyCount - 1, index + _prng.NextInt32(_prng.NextInt32(100) + 1)));
                break;
            case < 60 when _isKnown[index]:
                Put(index);
                break;
            case < 85 when _isKnown[index] && _truth.ContainsKey(index):
                _cache.Remove(Key(index), ++_seq);
                _ = _truth.Remove(index);
                break;
            case < 88:
                Force(index);
                break;
            case < 92:
                Add(_prng.NextInt32(20));
                break;
            case < 94:
                Commit();
                break;
            case < 95:
                Commit();
                int end = Math.Min(KeyCount - 1, index + _prng.NextInt32(60));
                _cache.Invalidate(Key(index), Key(end));
                Forget();
                Assert.That(_isKnown.AsSpan(index, end - index + 1).Contains(true), Is.False);
                break;
            case 95:
                _cache.Shrink(0, 1 + _prng.NextInt32(8));
                Forget();
                break;
        }
    }

    private void Fill(int first, int last)
    {
        _batch.Clear();
        foreach (var (index, value) in _disk)
        {
            if (index >= first && index <= last)
                _batch.Add(Key(index), 1, value);
        }

        _cache.Fill(Key(first), Key(last), _batch);
        for (int i = first; i <= last; i++)
            _isKnown[i] = true;

        // All of it is known now, the gaps between too.
        for (int i = first; i <= last; i++)
            Assert.That(_cache.Find(Key(i), out _), Is.Not.EqualTo(ItemLookup.Unknown));
        var lookup = _cache.Next(Key(first), Key(last), out var key, out _);
        int next = _truth.Keys.FirstOrDefault(index => index >= first && index <= last, -1);
        Assert.That(lookup, Is.EqualTo(next < 0 ? ItemLookup.Absent : ItemLookup.Found));
        if (next >= 0)
            Assert.That(key, Is.EqualTo(Key(next)));
    }

    private void Put(int index)
    {
        byte[] value = new byte[_prng.NextInt32(10) == 0 ? _prng.NextInt32(897) : _prng.NextInt32(40)];
        _prng.Fill(value);
        _cache.Put(Key(index), ++_seq, value);
        _truth[index] = value;
    }

    private void Force(int index)
    {
        byte[] value = new byte[_prng.NextInt32(9)];
        if (_prng.NextInt32(2) == 0)
        {
            _cache.ForcePut(ForcedKey(index), ++_seq, value);
            _forced[index] = value;
        }
        else
        {
            _cache.ForceRemove(ForcedKey(index), ++_seq);
            _forced[index] = null;
        }

        Assert.That(_cache.Find(ForcedKey(index), out _), Is.EqualTo(ItemLookup.Unknown));
    }

    private void Add(int index)
    {
        ulong total = _prng.NextUInt64(3) - 1;
        ulong count = _prng.NextUInt64(3) - 1;
        if (total == 0 && count == 0)
            return;
        _cache.AddDelta(TotalKey(index), ++_seq, total, count);
        var (oldTotal, oldCount) = _deltas.GetValueOrDefault(index);
        _deltas[index] = (oldTotal + total, oldCount + count);
        if (_deltas[index] == (0UL, 0UL))
            _ = _deltas.Remove(index);
    }

    // What is written turns the disk into the truth, and deletes nothing that was never there.
    private void Commit()
    {
        int dirty = 0;
        ItemKey? last = null;
        var forced = new SortedDictionary<int, byte[]?>();
        var deltas = new SortedDictionary<int, (ulong Total, ulong Count)>();
        var items = new DirtyItems();
        _cache.CopyDirty(items);
        for (; items.TryPeek(out var item); items.Advance())
        {
            dirty++;
            Assert.That(last is null || last < item.Key, Is.True);
            last = item.Key;
            bool isDeletion = (item.Flags & BtreeItem.FlagDeletion) != 0;
            byte[]? value = isDeletion ? null : item.Value.ToArray();
            if (item.Key.Zone == KeyZone.Orphan)
            {
                forced.Add((int)item.Key.Second.Value, value);
            }
            else if (item.Key.Zone == KeyZone.XattrTotal)
            {
                var delta = Disk.Ref<XattrTotalItem>(item.Value);
                deltas.Add((int)item.Key.Third.Value, (delta.Total, delta.Count));
            }
            else
            {
                int index = (int)item.Key.Second.Value;
                if (value is not null)
                    _disk[index] = value;
                else
                    Assert.That(_disk.Remove(index), Is.True, "a deletion of what was never there");
            }
        }

        Assert.That(dirty, Is.EqualTo(_cache.DirtyCount));
        Assert.That(_disk.Keys, Is.EqualTo(_truth.Keys));
        Assert.That(_disk.All(pair => pair.Value.AsSpan().SequenceEqual(_truth[pair.Key])), Is.True);
        Assert.That(forced, Is.EqualTo(_forced));
        Assert.That(deltas, Is.EqualTo(_deltas));
        _cache.CommitDone();
        _forced.Clear();
        _deltas.Clear();
    }

    // What may be forgotten by now is not relied on; what is dirty must still be known.
    private void Forget()
    {
        for (int i = 0; i < KeyCount; i++)
        {
            bool isUnknown = _cache.Find(Key(i), out _) == ItemLookup.Unknown;
            if (!isUnknown)
                continue;
            bool isOnDisk = _disk.TryGetValue(i, out byte[]? stored);
            bool exists = _truth.TryGetValue(i, out byte[]? value);
            Assert.That(isOnDisk == exists && (!exists || value.AsSpan().SequenceEqual(stored)), Is.True);
            _isKnown[i] = false;
        }
    }

    private void Check(int first, int length)
    {
        var lookup = _cache.Find(Key(first), out var value);
        if (_isKnown[first])
            Assert.That(lookup, Is.Not.EqualTo(ItemLookup.Unknown));
        if (lookup != ItemLookup.Unknown)
            Assert.That(lookup == ItemLookup.Found, Is.EqualTo(_truth.ContainsKey(first)));
        if (lookup == ItemLookup.Found)
            Assert.That(value.SequenceEqual(_truth[first]), Is.True);
        int last = Math.Min(KeyCount - 1, first + length);
        lookup = _cache.Next(Key(first), Key(last), out var key, out value);
        int next = _truth.Keys.FirstOrDefault(index => index >= first && index <= last, -1);
        switch (lookup)
        {
            case ItemLookup.Found:
                Assert.That(key, Is.EqualTo(Key(next)));
                Assert.That(value.SequenceEqual(_truth[next]), Is.True);
                break;
            case ItemLookup.Absent:
                Assert.That(next, Is.Negative);
                break;
            default:
                Assert.That(next < 0 || key <= Key(next), Is.True);
                break;
        }
    }
}
