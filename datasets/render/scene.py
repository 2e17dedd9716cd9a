"""Where a fire burns: a panorama as backdrop, a few simple things in front of it, light, and a camera."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

LUMA = np.float32([0.2126, 0.7152, 0.0722])
FIRE_COLOUR = np.float32([1, 0.36, 0.09])


def focal_length(side, fov):
    """Focal length in pixels of a camera that sees `fov` degrees along a side of `side` pixels."""
    return side / 2 / math.tan(math.radians(fov) / 2)


@dataclass
class Camera:
    """A pinhole camera above the point (0, 0), with z up. Angles in degrees, azimuth 0 along y, as in the panorama."""

    azimuth: float
    elevation: float
    fov: float  # along the longer side
    width: int
    height: int
    eye: float = 1.6  # metres above the ground
    focal: float | None = None  # pixels; default: what `fov` says
    centre: tuple[float, float] | None = None  # pixel that the camera points at; default: the middle

    def __post_init__(self):
        az, el = math.radians(self.azimuth), math.radians(self.elevation)
        self.ahead = np.array([math.sin(az), math.cos(az), 0])
        self.right = np.array([math.cos(az), -math.sin(az), 0])
        look = math.cos(el) * self.ahead + math.sin(el) * np.array([0, 0, 1])
        self.axes = np.stack([self.right, np.cross(self.right, look), look])
        self.position = np.array([0, 0, self.eye])
        self.focal = self.focal or focal_length(max(self.width, self.height), self.fov)
        self.centre = self.centre or (self.width / 2, self.height / 2)
        x = (np.arange(self.width) + 0.5 - self.centre[0]) / self.focal
        y = (self.centre[1] - np.arange(self.height) - 0.5) / self.focal
        rays = np.stack([*np.broadcast_arrays(x, y[:, None]), np.ones((self.height, self.width))], -1) @ self.axes
        self.rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)

    def project(self, point):
        """Pixel (x, y) of a point, or None behind the camera."""
        x, y, z = self.axes @ (np.asarray(point) - self.position)
        return None if z <= 0 else (self.centre[0] + self.focal * x / z, self.centre[1] - self.focal * y / z)

    def crop(self, left, top, width, height, zoom):
        """The camera of a part of this picture, `width` x `height` pixels after zooming; left, top in old pixels."""
        centre = (self.centre[0] - left) * zoom, (self.centre[1] - top) * zoom
        return replace(self, width=width, height=height, focal=self.focal * zoom, centre=centre)


@dataclass
class Thing:
    """A simple body. Sizes: sphere (radius,), log (radius, length, heading, rise), drum and cone (radius, height)."""

    kind: str
    at: np.ndarray  # the middle of a sphere or a log, the foot of a drum or a cone
    size: tuple
    colour: tuple
    emission: float = 0.0
    rough: float = 0.1  # how much the colour varies over the surface

    def distance(self, p):
        """Signed distance of points (N, 3) to the surface."""
        p = p - self.at
        if self.kind == "sphere":
            return np.linalg.norm(p, axis=-1) - self.size[0]
        if self.kind == "log":
            radius, length, heading, rise = self.size
            axis = np.array([math.cos(heading) * math.cos(rise), math.sin(heading) * math.cos(rise), math.sin(rise)])
            along = np.clip(p @ axis, -length / 2, length / 2)
            return np.linalg.norm(p - along[:, None] * axis, axis=-1) - radius
        radius, height = self.size
        r = np.hypot(p[:, 0], p[:, 1])
        if self.kind == "cone":
            slope = math.hypot(radius, height)
            side = ((r - radius) * height + p[:, 2] * radius) / slope
            return np.maximum(np.maximum(side, -p[:, 2]), p[:, 2] - 0.97 * height)
        return np.maximum(r - radius, abs(p[:, 2] - height / 2) - height / 2)  # drum

    @property
    def bound(self):
        """Middle and radius of a ball around the body."""
        if self.kind == "sphere":
            return self.at, self.size[0]
        if self.kind == "log":
            return self.at, self.size[1] / 2 + self.size[0]
        return self.at + [0, 0, self.size[1] / 2], math.hypot(self.size[0], self.size[1] / 2)


def trace(thing, camera):
    """Rays that meet the body: (mask (H, W), distances (N,), points (N, 3), normals (N, 3))."""
    middle, radius = thing.bound
    to = (middle - camera.position).astype(np.float32)
    along = camera.rays @ to
    mask = (along > 0) & (to @ to - along**2 < (1.02 * radius) ** 2)
    rays = camera.rays[mask].astype(float)
    far = along[mask] + radius
    reach = np.maximum(along[mask] - radius, 0.05)
    for _ in range(48):
        reach += 0.9 * thing.distance(camera.position + reach[:, None] * rays)
    hit = (reach < far) & (thing.distance(camera.position + reach[:, None] * rays) < 0.01 * radius)
    mask[mask] = hit
    reach = reach[hit]
    points = camera.position + reach[:, None] * rays[hit]
    tiny = 1e-3
    slope = [thing.distance(points + tiny * e) - thing.distance(points - tiny * e) for e in np.eye(3)]
    normals = np.stack(slope, -1)
    return mask, reach, points, normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9)


def grain(seed, size=256):
    """A tile of fractal noise, about -1 to 1, that repeats without a seam."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size), np.float32)
    for octave in range(2, 7):
        n = 2**octave
        coarse = np.pad(rng.normal(size=(n, n)).astype(np.float32), 2, mode="wrap")
        fine = cv2.resize(coarse, None, fx=size / n, fy=size / n, interpolation=cv2.INTER_CUBIC)
        edge = 2 * size // n
        total += 0.75**octave * fine[edge : edge + size, edge : edge + size]
    return total / (2 * total.std())


def look_up(tile, x, y):
    """The tile's value, linearly interpolated, at coordinates that repeat after 1."""
    size = len(tile)
    x, y = np.mod(x, 1) * size, np.mod(y, 1) * size
    u, v = x.astype(int), y.astype(int)
    across, down = x - u, y - v
    u, v, u1, v1 = u % size, v % size, (u + 1) % size, (v + 1) % size
    top = tile[v, u] * (1 - across) + tile[v, u1] * across
    return top * (1 - down) + (tile[v1, u] * (1 - across) + tile[v1, u1] * across) * down


def expose(light, key, night, tint):
    """Bring a backdrop to the brightness `key` of its middle grey; `night` (0 to 1) flattens one taken by day.

    Returns the picture and the factor that its light was multiplied with.
    """
    light = light * np.float32(tint)
    middle = np.exp(np.mean(np.log(light @ LUMA + 1e-3)))
    if night:
        luma = (light @ LUMA)[..., None]
        light = light * (luma / middle) ** (-0.45 * night)
        light = light + 0.35 * night * ((light @ LUMA)[..., None] - light)  # eyes and films lose colour at night
        middle = np.exp(np.mean(np.log(light @ LUMA + 1e-3)))
    return light * (key / middle), key / middle


class View:
    """What the camera sees before anything burns, in linear light, with what is needed to light it.

    Arrays over the picture: `image`, `albedo`, `points` (H, W, 3), `depth` (metres along the ray), `is_ground`,
    and `normals`, or None where only the ground's is known.
    """

    normals = None

    def add(self, thing, tile):
        """Put a body in, lit by the surroundings, with a soft shadow where it touches the ground."""
        near = self.is_ground & (np.linalg.norm(self.points - thing.bound[0], axis=-1) < 3 * thing.bound[1])
        if near.any():
            shade = np.exp(-np.maximum(thing.distance(self.points[near]), 0) / (0.3 * thing.bound[1]))
            self.image[near] *= (1 - 0.6 * shade)[:, None].astype(np.float32)
        mask, reach, points, normals = trace(thing, self.camera)
        front = reach < self.depth[mask]
        mask[mask] = front
        reach, points, normals = reach[front], points[front], normals[front]
        skin = look_up(tile, points[:, 0] * 1.7 + points[:, 2] * 0.9, points[:, 1] * 1.7 + points[:, 2] * 3.1)
        if thing.kind == "cone":  # the white band of a traffic cone
            skin += 25 * (abs(points[:, 2] / thing.size[1] - 0.55) < 0.1)
        albedo = np.clip(np.float32(thing.colour) * np.exp(thing.rough * skin)[:, None], 0, 0.9)
        open_sky = 0.55 + 0.45 * np.clip(points[:, 2:] / (thing.bound[1] + 1e-6), 0, 1)
        light = albedo / np.pi * self.irradiance_at(normals) * open_sky
        self.image[mask] = light + thing.emission * np.float32(thing.colour)
        self.albedo[mask], self.points[mask], self.depth[mask] = albedo, points, reach
        self.is_ground[mask] = False
        if self.normals is not None:
            self.normals[mask] = normals

    def scorch(self, foot, radius, tile):
        """Blacken the ground under a fire."""
        away = np.hypot(self.points[..., 0] - foot[0], self.points[..., 1] - foot[1]) / radius
        ragged = look_up(tile, self.points[..., 0] / radius / 3, self.points[..., 1] / radius / 3)
        dark = np.clip(1.25 - away + 0.45 * ragged, 0, 1) * self.is_ground * 0.85
        self.image *= (1 - dark)[..., None].astype(np.float32)
        self.albedo *= (1 - dark)[..., None]

    def firelight(self, foot, height, strength):
        """What a flame `height` metres high adds to everything around it."""
        for share in (0.3, 0.8):
            way = np.asarray(foot) + [0, 0, share * height] - self.points
            square = (way**2).sum(-1) + 0.1 * height**2
            if self.normals is None:
                facing = np.where(self.is_ground, np.maximum(way[..., 2], 0) / np.sqrt(square), 0.5)
            else:
                facing = np.maximum((self.normals * way).sum(-1), 0) / np.sqrt(square)
            fall = strength * 0.12 * height**2 * facing / square
            self.image += (fall[..., None] * self.albedo / np.pi * FIRE_COLOUR).astype(np.float32)

    def haze(self, amount, colour, reach=40.0):
        """Let smoke hang in the air: `amount` (0 to 1) of `colour` (3,) veils what lies beyond `reach` metres."""
        veil = amount * (1 - np.exp(-np.minimum(self.depth, 5 * reach) / reach))[..., None].astype(np.float32)
        self.image = self.image * (1 - veil) + veil * np.float32(colour)


class Panorama(View):
    """A view cut from a panorama, with a flat ground."""

    def __init__(self, pixels, camera, *, key, wall, night=0.0, tint=(1, 1, 1), seed=0):
        """`key`: how bright the picture's middle grey is; `wall`: metres to what stands behind the ground."""
        self.camera = camera
        rays = camera.rays
        rows, cols = pixels.shape[:2]
        u = np.arctan2(rays[..., 0], rays[..., 1]) / (2 * np.pi) % 1 * cols - 0.5
        v = (0.5 - np.arcsin(np.clip(rays[..., 2], -1, 1)) / np.pi) * rows - 0.5
        sky = np.log(np.clip(pixels, 1e-4, 60))
        sky = np.concatenate([sky[:, -8:], sky, sky[:, :8]], 1)  # a remap does not wrap around by itself
        maps = (u + 8).astype(np.float32), v.astype(np.float32)
        seen = np.exp(cv2.remap(sky, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
        self.image, gain = expose(seen, key, night, tint)

        down = rays[..., 2] < -1e-3
        ground = np.where(down, -camera.eye / np.minimum(rays[..., 2], -1e-3), 1e6)
        self.is_ground = ground < wall
        self.depth = np.minimum(ground, wall)
        self.points = camera.position + self.depth[..., None] * rays
        light = self._irradiance(pixels * np.float32(tint)) * gain
        # A lamp or a sun outside the view would bleach all that is put in: the exposure was made for the view.
        self.irradiance = light * min(1, 3.5 * np.pi * key / (light @ LUMA).max())
        up = self.irradiance_at(np.array([[0, 0, 1.0]]))[0]
        self.albedo = np.clip(self.image * np.pi / (up + 1e-6), 0.02, 0.7)
        self._sharpen(seed)
        self.depth[~self.is_ground] = 1e6  # flames and smoke are never cut off by the backdrop

    def _irradiance(self, pixels):
        """Light that falls on a surface, as a small table over its normal."""
        small = cv2.resize(np.minimum(pixels, 200), (32, 16), interpolation=cv2.INTER_AREA)
        el = (0.5 - (np.arange(16) + 0.5) / 16) * np.pi
        az = (np.arange(32) + 0.5) / 32 * 2 * np.pi
        way = np.stack(
            [np.cos(el)[:, None] * np.sin(az), np.cos(el)[:, None] * np.cos(az), np.sin(el)[:, None] + 0 * az], -1
        )
        self._ways = way.reshape(-1, 3)
        weight = np.repeat(np.cos(el), 32) * (np.pi / 16) * (2 * np.pi / 32)
        return np.maximum(self._ways @ self._ways.T, 0) * weight @ small.reshape(-1, 3)

    def irradiance_at(self, normals):
        return self.irradiance[np.argmax(normals @ self._ways.T, axis=1)]

    def _sharpen(self, seed):
        """The panoramas are soft: give the ground grit and the rest a texture where it has any contrast."""
        tile = grain(seed)
        strength = np.zeros(self.depth.shape, np.float32)
        footprint = self.depth**2 / self.camera.eye / self.camera.focal  # metres of ground a pixel covers, lengthways
        for period in (2.5, 0.6, 0.15):
            fade = np.clip(period / 16 / footprint, 0, 1) * self.is_ground
            strength += 0.16 * fade * look_up(tile, self.points[..., 0] / period, self.points[..., 1] / period)
        luma = np.log(self.image @ LUMA + 1e-4).astype(np.float32)
        contrast = cv2.GaussianBlur(abs(luma - cv2.GaussianBlur(luma, (0, 0), 6)), (0, 0), 4)
        y, x = np.mgrid[: luma.shape[0], : luma.shape[1]] / 200
        strength += np.clip(contrast, 0, 0.5) * look_up(tile, x, y) * ~self.is_ground
        self.image *= np.exp(strength)[..., None].astype(np.float32)


class Plate(View):
    """A view of a scene that Blender rendered, where everything has its depth: flames go behind walls and trees."""

    def __init__(self, arrays, camera, left, top, *, key, night=0.0, tint=(1, 1, 1)):
        """`arrays`: what a plate's file holds; `camera`: a crop of the plate's own that begins at pixel left, top."""
        self.camera = camera
        zoom = camera.focal / Camera(**arrays["meta"]["camera"]).focal
        # Pixel middles: x' = (x - left) * zoom - 0.5, seen from the output.
        matrix = np.float32([[1 / zoom, 0, left + 0.5 / zoom - 0.5], [0, 1 / zoom, top + 0.5 / zoom - 0.5]])

        def cut(name, how):
            flags = how | cv2.WARP_INVERSE_MAP
            size = camera.width, camera.height
            return cv2.warpAffine(np.float32(arrays[name]), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

        self.image, gain = expose(np.maximum(cut("image", cv2.INTER_LINEAR), 0), key, night, tint)
        self.albedo = np.clip(cut("albedo", cv2.INTER_LINEAR), 0.02, 0.9)
        self.depth = cut("depth", cv2.INTER_NEAREST)
        self.normals = cut("normal", cv2.INTER_NEAREST)
        self.is_ground = cut("ground", cv2.INTER_NEAREST) > 0.5
        self.points = camera.position + self.depth[..., None] * camera.rays
        solid = self.depth < 5000
        self.albedo[~solid] = 0
        light = np.median(self.image[solid] * np.pi / self.albedo[solid], 0) if solid.any() else np.full(3, np.pi * key)
        light[1] = max(light[1], 0.4 * (light[0] + light[2]))  # dark leaves mislead: no daylight is purple
        self.irradiance = np.float32(light) * min(1, 3.5 * np.pi * key / (light @ LUMA))

    def irradiance_at(self, normals):
        """The same from all sides: a plate does not keep its surroundings."""
        return np.broadcast_to(self.irradiance, (*normals.shape[:-1], 3))


def photograph(light, rng, *, bloom=0.05, noise=0.01, vignette=0.2, contrast=0.3, saturation=1.0, blur=0, soft=1.0):
    """From linear light to an 8-bit BGR picture: glare, shake, lens, film curve, sensor noise.

    `blur`: width of the shake in pixels; `soft`: how many times the camera's resolution is lower than the picture's.
    """
    height, width = light.shape[:2]
    scale = max(height, width) / 640
    clipped = np.minimum(light, 10).astype(np.float32)
    glare = sum(w * cv2.GaussianBlur(clipped, (0, 0), s * scale) for s, w in ((1.5, 0.45), (7, 0.3), (28, 0.25)))
    light = (1 - bloom) * light + bloom * glare
    if blur:
        light = cv2.blur(light, (blur, 1))
    if soft > 1:
        light = cv2.resize(light, None, fx=1 / soft, fy=1 / soft, interpolation=cv2.INTER_AREA)
    y, x = np.ogrid[-1 : 1 : light.shape[0] * 1j, -1 : 1 : light.shape[1] * 1j]
    light = np.maximum(light * (1 - vignette * (x * x + y * y) / 2)[..., None], 0)
    light = np.where(light < 0.5, light, 1 - 0.5 * np.exp(1 - 2 * light)).astype(np.float32)  # highlights roll off
    noisy = rng.normal(size=light.shape).astype(np.float32)
    noisy = 0.6 * noisy + 1.0 * cv2.GaussianBlur(noisy, (0, 0), 0.8)
    light = light + noise * noisy * np.sqrt(np.maximum(light, 0.01))
    light = np.clip(light, 0, 1)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    shown = (1 - contrast) * shown + contrast * shown * shown * (3 - 2 * shown)
    grey = (shown @ LUMA)[..., None]
    picture = np.clip((grey + saturation * (shown - grey)) * 255 + 0.5, 0, 255).astype(np.uint8)[..., ::-1]
    picture = cv2.addWeighted(picture, 1.4, cv2.GaussianBlur(picture, (0, 0), 1.1), -0.4, 0)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC) if soft > 1 else picture
