using System;
using ScoutFs.Volume.Data;

namespace ScoutFs.Volume.Mounting;

/// <summary>Options of a mount, named as in the reference where it has them (engine §11.1).</summary>
public sealed record MountOptions
{
    /// <summary>Blocks of 4 KiB allocated ahead of a file at most, 1..2^52-1.</summary>
    public ulong DataPreallocBlocks { get; init; } = 2048;

    /// <summary>Only streams get blocks ahead.</summary>
    public bool DataPreallocContigOnly { get; init; } = true;

    /// <summary>Inode numbers used of each group of 1024, 1..1024.</summary>
    public ulong InoAllocPerLock { get; init; } = 1024;

    /// <summary>Idle cluster locks to keep, 32..100000.</summary>
    public int LockIdleCount { get; init; } = 10_000;

    /// <summary>Time between scans for orphans, 100 ms..60 s.</summary>
    public TimeSpan OrphanScanDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time between commits.</summary>
    public TimeSpan CommitInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time between questions for srch compactions when there was none, 1..60 s.</summary>
    public TimeSpan SrchCompactDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Memory for clean items, bytes, at least 1 MiB.</summary>
    public long ItemCacheBytes { get; init; } = 128 << 20;

    /// <summary>Memory for metadata blocks, bytes, at least 4 MiB.</summary>
    public long BlockCacheBytes { get; init; } = 128 << 20;

    /// <summary>Memory for file data on its way to the device, bytes, at least 4 MiB.</summary>
    public long DataBufferBytes { get; init; } = 64 << 20;

    /// <summary>The data options together.</summary>
    internal AllocationPolicy Policy => new(DataPreallocBlocks, DataPreallocContigOnly);

    /// <summary>What is wrong with the options, or null.</summary>
    public string? Validate()
    {
        if (DataPreallocBlocks is 0 or > (1UL << 52) - 1)
            return $"data_prealloc_blocks is {DataPreallocBlocks}; it must be 1..{(1UL << 52) - 1}.";
        if (InoAllocPerLock is 0 or > 1024)
            return $"ino_alloc_per_lock is {InoAllocPerLock}; it must be 1..1024.";
        if (LockIdleCount is < 32 or > 100_000)
            return $"lock_idle_count is {LockIdleCount}; it must be 32..100000.";
        if (OrphanScanDelay.TotalMilliseconds is < 100 or > 60_000)
            return $"orphan_scan_delay_ms is {OrphanScanDelay.TotalMilliseconds}; it must be 100..60000.";
        if (SrchCompactDelay.TotalMilliseconds is < 1000 or > 60_000)
            return $"compact_delay_ms is {SrchCompactDelay.TotalMilliseconds}; it must be 1000..60000.";
        if (ItemCacheBytes < 1 << 20 || BlockCacheBytes < 4 << 20 || DataBufferBytes < 4 << 20)
            return "The caches are too small: at least 1 MiB of items, 4 MiB of blocks, 4 MiB of data buffers.";
        return null;
    }
}
