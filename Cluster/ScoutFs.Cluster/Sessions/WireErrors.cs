using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Sessions;

/// <summary>Error byte of response frames (cluster §3.2).</summary>
public static class WireErrors
{
    /// <summary>Greatest byte that has a meaning.</summary>
    public const byte Greatest = 6;

    /// <summary>The byte for an outcome; what the wire has no value for goes as EINVAL.</summary>
    public static byte ToWire(FsError error) => error switch
    {
        FsError.None => 0,
        FsError.NotFound => 1,
        FsError.NoBuffers => 2,
        FsError.Io or FsError.Corrupt or FsError.Stale => 3,
        FsError.NoSpace => 4,
        FsError.Isolated => 6,
        _ => 5,
    };

    /// <summary>The outcome for a byte; unknown values count as Invalid.</summary>
    public static FsError FromWire(byte error) => error switch
    {
        0 => FsError.None,
        1 => FsError.NotFound,
        2 => FsError.NoBuffers,
        3 => FsError.Io,
        4 => FsError.NoSpace,
        6 => FsError.Isolated,
        _ => FsError.Invalid,
    };
}
