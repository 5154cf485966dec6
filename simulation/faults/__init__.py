"""Every request of every scenario fails in every way, and a model judges the promises."""
