using System;
using System.Collections.Generic;
using System.Threading;
using ScoutFs.Volume.Blocks;

namespace ScoutFs.Integration.Tests.Devices;

/// <summary>Aligned blocks for one test, all given back together. Thread safe.</summary>
internal sealed class AlignedBlocks(int capacityBlocks) : IDisposable
{
    private readonly Lock _latch = new();
    private readonly BlockPool _pool = new(capacityBlocks);
    private readonly List<PooledBlock> _rented = [];

    public Memory<byte> Rent()
    {
        lock (_latch)
        {
            var block = _pool.TryRent()!;
            _rented.Add(block);
            return block.Memory;
        }
    }

    public void Dispose()
    {
        foreach (var block in _rented)
            _pool.Return(block);
        _pool.Dispose();
    }
}
