using System;

namespace ScoutFs.Cluster.Sessions;

/// <summary>One end of a session, as transports see it: frames are taken from it and handed to it.</summary>
/// <remarks>
/// <para>A transport makes these calls one after the other for each direction, and after
/// <see cref="OnDisconnected"/> none. It holds no latch of its own meanwhile, as endpoints call their owners.</para>
/// <para>Each call names its connection: an endpoint that has met a newer one ignores the old one's calls.</para>
/// </remarks>
public interface IFrameEndpoint
{
    /// <summary>Copies the next frame to be sent.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="into">At least <see cref="ReliableSession.MaxFrameBytes"/>.</param>
    /// <returns>Its length in bytes, or 0: none until <see cref="IFrameLink.NotifyFrames"/>.</returns>
    int TakeFrame(IFrameLink link, Span<byte> into);

    /// <summary>One whole frame has arrived.</summary>
    /// <returns>False when the connection must be closed.</returns>
    bool OnFrame(IFrameLink link, ReadOnlySpan<byte> frame);

    /// <summary>The connection is gone.</summary>
    void OnDisconnected(IFrameLink link);
}

/// <summary>A connection as one of its ends sees it.</summary>
/// <remarks>Calls never wait and never call back; they may be made with any latch held, by any thread.</remarks>
public interface IFrameLink
{
    /// <summary>There may be frames to take.</summary>
    void NotifyFrames();

    /// <summary>Ends the connection; both ends learn of it later.</summary>
    void Close();
}
